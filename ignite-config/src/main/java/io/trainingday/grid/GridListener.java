package io.trainingday.grid;

/** Hears what happens to a grid node that its owner must act on. */
public interface GridListener {
  /** Hears nothing: for a node whose reads and writes say by themselves what failed. */
  GridListener NONE =
      new GridListener() {
        @Override
        public void memoryFull(String cause) {}

        @Override
        public void failed(String cause) {}

        @Override
        public void stopping() {}

        @Override
        public void refused(String from, Throwable why) {}
      };

  /**
   * A data region is full although admission should prevent it. The node goes on serving; nothing
   * more may be admitted. Called on a thread of Ignite's, possibly often: it must return at once.
   *
   * @param cause what Ignite says about it
   */
  void memoryFull(String cause);

  /**
   * The node cannot go on and is stopped in order, on a thread of its own; the JVM stays. Called
   * once, on a thread of Ignite's: it must return at once.
   *
   * @param cause what Ignite says about it
   */
  void failed(String cause);

  /**
   * The node is about to stop, for whatever reason: its owner, a failure, the JVM's shutdown hook.
   * Off-heap memory is freed after this returns, so it must return only when nobody reads it any
   * more.
   */
  void stopping();

  /**
   * A connection to one of Ignite's ports was refused, for its certificate or because it speaks no
   * TLS. Called on a thread of Ignite's, possibly often: it must return at once.
   *
   * @param from who connected, as far as it is known
   * @param why what TLS said
   */
  void refused(String from, Throwable why);
}
