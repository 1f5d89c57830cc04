package io.trainingday.node;

import io.trainingday.grid.GridListener;
import io.trainingday.node.lane.RefusalReason;
import io.trainingday.node.lane.Refusals;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hears Ignite for a node, which may fail before it is wholly made. */
final class GridEvents implements GridListener {
  private static final Logger LOG = LoggerFactory.getLogger(CacheNode.class);

  /** What a node does of which Ignite tells. */
  private record Hearer(Consumer<String> memoryFull, Runnable drain) {}

  private final NodeCondition condition;
  private final Refusals refusals = new Refusals(RefusalReason.GRID, System::nanoTime, LOG::warn);
  private volatile @Nullable Hearer hearer;

  GridEvents(NodeCondition condition) {
    this.condition = condition;
  }

  /**
   * Tells the node from now on.
   *
   * @param memoryFull hears why
   * @param drain runs before Ignite frees its memory
   */
  void tell(Consumer<String> memoryFull, Runnable drain) {
    hearer = new Hearer(memoryFull, drain);
  }

  /** Of nodes that wanted to join. */
  Refusals refusals() {
    return refusals;
  }

  @Override
  public void refused(String from, Throwable why) {
    refusals.count(
        RefusalReason.ofTls(why), "a node at " + from, "TLS: " + String.valueOf(why.getMessage()));
  }

  @Override
  public void memoryFull(String cause) {
    Hearer current = hearer;
    if (current != null) {
      current.memoryFull.accept(cause);
    }
  }

  @Override
  public void failed(String cause) {
    condition.fail(cause);
  }

  @Override
  public void stopping() {
    Hearer current = hearer;
    if (current != null) {
      current.drain.run();
    }
  }
}
