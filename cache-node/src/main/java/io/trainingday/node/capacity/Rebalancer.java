package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.background.Worker;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import io.trainingday.node.store.RecordStores.Placement;
import java.util.OptionalLong;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches what this node is to hold and has not got, when nodes come or go: Ignite does not start
 * by itself, since it asks nobody whether there is room.
 *
 * <p>Before it starts, room is made; while it runs, {@link Arrivals} watches each record. Until
 * everything has arrived on all nodes, the former owners go on serving.
 */
final class Rebalancer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Rebalancer.class);

  private static final long LOOK_NANOS = 1_000_000_000L;
  private static final long CLEARING_NANOS = 10_000_000_000L;
  private static final long CLEARING_POLL_NANOS = 20_000_000L;

  private final Ignite ignite;
  private final RecordStores stores;
  private final Admission admission;
  private final Sweeper sweeper;
  private final Forecast forecast;
  private final Arrivals arrivals;
  private final Worker worker = new Worker("training-day-rebalancer", LOOK_NANOS, this::look);
  private @Nullable IgniteFuture<Boolean> running;
  private long topologyWhenStarted;

  Rebalancer(
      Ignite ignite,
      RecordStores stores,
      Admission admission,
      Sweeper sweeper,
      Forecast forecast,
      Arrivals arrivals) {
    this.ignite = ignite;
    this.stores = stores;
    this.admission = admission;
    this.sweeper = sweeper;
    this.forecast = forecast;
    this.arrivals = arrivals;
  }

  void start() {
    worker.start();
  }

  /** Says that the grid may have changed. */
  void signal() {
    worker.wake();
  }

  private void look(boolean woken) {
    try {
      look();
    } catch (IgniteException | IllegalStateException stopping) {
      LOG.debug("cannot rebalance now", stopping);
    }
  }

  private void look() {
    int arriving = 0;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      arriving += stores.partitions(backups, Held.ARRIVING).size();
    }
    // Not by the members: they change before the partitions that they are to hold.
    OptionalLong now = stores.placement().stream().mapToLong(Placement::topology).findFirst();
    if (now.isEmpty()) {
      return; // Some have gone over to the next placement: the next look is due in a moment.
    }
    long topology = now.getAsLong();
    IgniteFuture<Boolean> last = running;
    // Once in any case: before, Ignite looks elsewhere for each key that is written.
    boolean first = last == null;
    boolean stuck =
        last != null && arriving > 0 && (last.isDone() || topology != topologyWhenStarted);
    if (first || stuck) {
      begin(topology, arriving);
    } else if (arriving > 0) {
      forecast.learn();
    }
  }

  private void begin(long topology, int arriving) {
    if (arriving > 0) {
      makeRoom(arriving);
    }
    topologyWhenStarted = topology;
    IgniteFuture<Boolean> started = rebalance();
    running = started;
    started.listen(unused -> signal());
  }

  /** Asked of one cache, it starts with all of them, one after the other. */
  @SuppressWarnings("deprecation") // As is what keeps Ignite from starting by itself.
  private IgniteFuture<Boolean> rebalance() {
    return ignite.cache(GridCaches.samples(0)).rebalance();
  }

  /**
   * Compares what is about to arrive with what is free. What nobody can reach goes first, then what
   * has left this node's partitions, which Ignite is clearing already. If that is not enough,
   * {@link Arrivals} drops copies as it must.
   */
  private void makeRoom(int arriving) {
    forecast.learn();
    long expected = forecast.pages();
    arrivals.expect(expected); // From now on, nobody else takes that room.
    if (expected > admission.freePages()) {
      sweeper.sweepNow();
      awaitCleared(expected);
    }
    LOG.info(
        "Rebalancing {} partitions, about {} pages of records, {} pages are free",
        arriving,
        expected,
        admission.freePages());
  }

  private void awaitCleared(long pages) {
    long deadline = System.nanoTime() + CLEARING_NANOS;
    while (!worker.isClosed()
        && pages > admission.freePages()
        && anyLeaving()
        && System.nanoTime() - deadline < 0) {
      var unused = worker.awaitWake(CLEARING_POLL_NANOS);
    }
  }

  private boolean anyLeaving() {
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      if (!stores.partitions(backups, Held.LEAVING).isEmpty()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public void close() {
    worker.close();
  }
}
