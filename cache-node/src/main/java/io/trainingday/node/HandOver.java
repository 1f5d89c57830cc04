package io.trainingday.node;

import io.trainingday.config.DataSize;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.GridCaches;
import io.trainingday.node.capacity.DatasetTerms;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.lane.LaneServer;
import io.trainingday.node.metrics.HandOverReport;
import io.trainingday.node.metrics.HandOverReport.Lost;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a node does for others before it stops. It keeps no more records from now on; waits until
 * other nodes have whole copies of what has backups; tells its trainers to go to other nodes, and
 * answers them until they have; waits until what it has taken is written or passed on; and says
 * what is lost with it.
 */
final class HandOver {
  private static final Logger LOG = LoggerFactory.getLogger(HandOver.class);
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  /** Of the whole time, so much is kept for trainers, at most, when copies take long. */
  private static final Duration FOR_TRAINERS = Duration.ofSeconds(5);

  private static final Duration LONGEST_COUNT = Duration.ofSeconds(2);

  private record Partition(int backups, int number) {}

  private final UUID self;
  private final RecordStores stores;
  private final Ownership ownership;
  private final Fills fills;
  private final LaneServer lane;
  private final LongFunction<Optional<DatasetTerms>> terms;

  HandOver(
      UUID self,
      RecordStores stores,
      Ownership ownership,
      Fills fills,
      LaneServer lane,
      LongFunction<Optional<DatasetTerms>> terms) {
    this.self = self;
    this.stores = stores;
    this.ownership = ownership;
    this.fills = fills;
    this.lane = lane;
    this.terms = terms;
  }

  /** Blocks, for little more than {@code longest}. */
  HandOverReport run(Duration longest) {
    long start = System.nanoTime();
    long deadline = start + longest.toNanos();
    fills.stopAdmitting();
    long forTrainers = Math.min(FOR_TRAINERS.toNanos(), longest.toNanos() / 4);
    await(() -> withoutCopy().isEmpty() || otherNodes() == 0, deadline - forTrainers);
    List<Partition> uncopied = withoutCopy();
    // Where no other node is, those that stay have nowhere to go.
    long left = Math.max(0, deadline - System.nanoTime());
    long patience = otherNodes() == 0 ? Math.min(forTrainers, left) : left;
    int staying = lane.sendTrainersAway(Duration.ofNanos(patience));
    await(() -> fills.inFlight().bytes() == 0, deadline);
    HandOverReport report =
        new HandOverReport(
            TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start),
            otherNodes(),
            uncopied.size(),
            staying,
            fills.inFlight().bytes(),
            lost(uncopied));
    tell(report, longest);
    return report;
  }

  private static void await(BooleanSupplier condition, long deadline) {
    while (!condition.getAsBoolean()
        && deadline - System.nanoTime() > 0
        && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }

  private int otherNodes() {
    return ownership.members().size() - 1;
  }

  /** What is held here of data sets with backups and nowhere else as a whole. */
  private List<Partition> withoutCopy() {
    List<Partition> all = new ArrayList<>();
    for (int backups = 1; backups <= GridCaches.MAX_BACKUPS; backups++) {
      for (int partition : held(backups)) {
        if (stores.records(backups, partition) > 0
            && stores.holders(backups, partition).stream().allMatch(self::equals)) {
          all.add(new Partition(backups, partition));
        }
      }
    }
    return all;
  }

  private List<Integer> held(int backups) {
    List<Integer> held = new ArrayList<>(stores.partitions(backups, Held.PRIMARY));
    held.addAll(stores.partitions(backups, Held.BACKUP));
    return held;
  }

  /** Counts for two seconds at most: of very many records it tells of those seen by then. */
  private List<Lost> lost(List<Partition> uncopied) {
    List<Partition> partitions = new ArrayList<>(uncopied);
    held(0).forEach(number -> partitions.add(new Partition(0, number)));
    Map<Long, long[]> counts = new HashMap<>();
    long deadline = System.nanoTime() + LONGEST_COUNT.toNanos();
    for (Partition partition : partitions) {
      boolean unused =
          stores.forEachKey(
              partition.backups(),
              partition.number(),
              (key, bytes) -> {
                long[] count = counts.computeIfAbsent(key.dataset(), dataset -> new long[2]);
                count[0]++;
                count[1] += bytes;
                return deadline - System.nanoTime() > 0;
              });
    }
    List<Lost> lost = new ArrayList<>();
    counts.forEach(
        (dataset, count) ->
            terms
                .apply(dataset)
                .filter(known -> known.tier() == Tier.MEMORY)
                .ifPresent(
                    known ->
                        lost.add(
                            new Lost(known.name(), count[0], count[1], why(known.backups())))));
    lost.sort(Comparator.comparing(Lost::dataset));
    return lost;
  }

  private String why(int backups) {
    return backups == 0
        ? "backups 0, tier memory"
        : otherNodes() == 0
            ? "no other node, tier memory"
            : "copies not whole in time, tier memory";
  }

  private static void tell(HandOverReport report, Duration longest) {
    LOG.info(
        "Handed over in {} ms: {}",
        report.millis(),
        report.otherNodes() == 0
            ? "no other node is there to take anything"
            : report.partitionsWithoutCopy() == 0
                ? "other nodes have all that has backups"
                : "%d partitions have no whole copy elsewhere"
                    .formatted(report.partitionsWithoutCopy()));
    for (Lost lost : report.lost()) {
      LOG.warn(
          "Lost with this node, to be loaded again: {} records ({}) of data set {}: {}",
          lost.records(),
          DataSize.ofBytes(lost.bytes()),
          lost.dataset(),
          lost.why());
    }
    if (report.trainersStaying() > 0) {
      LOG.warn(
          "{} trainers have not gone to another node within stop.handOver={} s",
          report.trainersStaying(),
          longest.toSeconds());
    }
    if (report.bytesUnderWay() > 0) {
      LOG.warn("{} bytes of records are not written yet", report.bytesUnderWay());
    }
  }
}
