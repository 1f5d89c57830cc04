package io.trainingday.node.capacity;

import java.util.function.LongConsumer;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteRunnable;
import org.apache.ignite.resources.IgniteInstanceResource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Says on all nodes of the grid that a data set's terms have changed. */
final class GridNews {
  private static final Logger LOG = LoggerFactory.getLogger(GridNews.class);
  private static final String KEY = "training-day.terms";
  private static final long TIMEOUT_MILLIS = 5_000;

  private GridNews() {}

  /** Lets this node hear it. */
  static void listen(Ignite ignite, LongConsumer listener) {
    ignite.cluster().nodeLocalMap().put(KEY, listener);
  }

  /** Returns when all nodes have heard it, or have taken too long. */
  static void tell(Ignite ignite, long dataset) {
    try {
      ignite
          .compute(ignite.cluster().forServers())
          .withTimeout(TIMEOUT_MILLIS)
          .broadcast(new News(dataset));
    } catch (IgniteException silent) {
      LOG.info("A node has not heard of a data set's terms yet: {}", silent.toString());
    }
  }

  /** Runs on every node. */
  private static final class News implements IgniteRunnable {
    private static final long serialVersionUID = 1L;

    private final long dataset;
    @IgniteInstanceResource private transient @Nullable Ignite ignite;

    News(long dataset) {
      this.dataset = dataset;
    }

    @Override
    public void run() {
      Ignite here = ignite;
      if (here == null) {
        throw new IllegalStateException("not run by a grid");
      }
      LongConsumer listener = here.cluster().<String, LongConsumer>nodeLocalMap().get(KEY);
      if (listener != null) { // A node that has just begun to start holds nothing.
        listener.accept(dataset);
      }
    }
  }
}
