package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordStore;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Other nodes that may have a record which is missing on the node that owns it. */
public interface Elsewhere {
  /** Knows of no other node. */
  static Elsewhere nowhere() {
    return new Elsewhere() {
      @Override
      public boolean mayHave(RecordStore store, SampleKey key) {
        return false;
      }

      @Override
      public void find(RecordStore store, SampleKey key, Consumer<byte @Nullable []> whenEnded) {
        throw new IllegalStateException("nobody to ask for " + key);
      }

      @Override
      public void notAgain(SampleKey key) {}
    };
  }

  /** Whether it is worth asking. Well under a microsecond, for it is asked at every miss. */
  boolean mayHave(RecordStore store, SampleKey key);

  /**
   * Asks for a record, within a bounded time, and waits for nothing itself.
   *
   * @param whenEnded called once, on any thread: with the record, which was found right, or with
   *     null when nobody has it; then {@link #mayHave} is false for a while
   */
  void find(RecordStore store, SampleKey key, Consumer<byte @Nullable []> whenEnded);

  /** A record was of no use and is to be loaded anew: others' are not asked for, for a while. */
  void notAgain(SampleKey key);
}
