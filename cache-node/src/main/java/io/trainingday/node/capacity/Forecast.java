package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.capacity.Capacity.Use;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.ignite.IgniteException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How much rebalancing is still to bring to this node: the records that each partition has
 * elsewhere and not yet here, by the mean size of those that are kept on as many nodes.
 *
 * <p>A partition has as many as those have that are here, for indices are spread evenly. A node
 * that has just joined holds nothing: Ignite tells it how many there are, and it asks the others
 * what they are like. Thread-safe.
 */
final class Forecast {
  private static final Logger LOG = LoggerFactory.getLogger(Forecast.class);

  private final RecordStores stores;
  private final Admission admission;
  private final Shares shares;
  private final Supplier<Map<UUID, List<Use>>> usesOfGrid;

  /** Pages of a record as other nodes say, by the number of backups; 0 where nobody has said. */
  private volatile double[] toldPages = new double[GridCaches.MAX_BACKUPS + 1];

  /**
   * @param usesOfGrid asks all nodes, and may take seconds
   */
  Forecast(
      RecordStores stores,
      Admission admission,
      Shares shares,
      Supplier<Map<UUID, List<Use>>> usesOfGrid) {
    this.stores = stores;
    this.admission = admission;
    this.shares = shares;
    this.usesOfGrid = usesOfGrid;
  }

  /** Pages of the records that are still to come, as far as is known; asks nobody. */
  long pages() {
    double pages = 0;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      long records = recordsToCome(backups);
      pages += records == 0 ? 0 : records * pagesOfRecord(backups);
    }
    return (long) Math.ceil(pages);
  }

  /**
   * Asks the others what records are like, if some are to come of which this node knows nothing.
   */
  void learn() {
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      if (pagesOfRecord(backups) == 0 && recordsToCome(backups) > 0) {
        ask();
        return;
      }
    }
  }

  private void ask() {
    try {
      List<Use> uses = usesOfGrid.get().values().stream().flatMap(Collection::stream).toList();
      double[] told = new double[GridCaches.MAX_BACKUPS + 1];
      for (int backups = 0; backups < told.length; backups++) {
        int of = backups;
        told[backups] =
            mean(
                uses.stream()
                    .filter(use -> backupsOf(use.dataset()) == of)
                    .map(use -> new long[] {use.records(), use.bytes()}));
      }
      toldPages = told;
    } catch (IgniteException noAnswer) {
      LOG.debug("It is not known how much is to arrive", noAnswer);
    }
  }

  private int backupsOf(long dataset) {
    return shares.terms(dataset).map(DatasetTerms::backups).orElse(0);
  }

  private long recordsToCome(int backups) {
    List<Integer> arriving = stores.partitions(backups, Held.ARRIVING);
    if (arriving.isEmpty()) {
      return 0;
    }
    long usual = recordsOfPartition(backups);
    long records = 0;
    for (int partition : arriving) {
      // What the grid says is of the last node that joined: here it is this one.
      long wanted = usual > 0 ? usual : stores.recordsInGrid(backups, partition);
      records += Math.max(0, wanted - stores.records(backups, partition));
    }
    return records;
  }

  /** How many a partition has that is here: indices are spread evenly. */
  private long recordsOfPartition(int backups) {
    List<Integer> whole = stores.wholePartitions(backups);
    long records = whole.stream().mapToLong(partition -> stores.records(backups, partition)).sum();
    return whole.isEmpty() ? 0 : records / whole.size();
  }

  private double pagesOfRecord(int backups) {
    double here =
        mean(
            shares.all().stream()
                .filter(share -> share.terms().backups() == backups)
                .map(share -> new long[] {share.heldRecords(), share.heldBytes()}));
    return here > 0 ? here : toldPages[backups];
  }

  /**
   * Pages of a record; 0 of none.
   *
   * @param counted records and their bytes
   */
  private double mean(Stream<long[]> counted) {
    long[] all =
        counted.reduce(
            new long[2], (one, other) -> new long[] {one[0] + other[0], one[1] + other[1]});
    return all[0] == 0 ? 0 : admission.meanPages(all[0], all[1]) / all[0];
  }
}
