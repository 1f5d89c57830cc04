package io.trainingday.node.capacity;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.GridListener;
import io.trainingday.grid.IgniteConfigurations;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.TestNodes;
import io.trainingday.node.fill.FillLimits;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.jspecify.annotations.Nullable;

/** A node of a grid as far as memory goes: no lane, no versions. */
final class GridNode implements AutoCloseable {
  /** So large that a message of records may need more than the headroom. */
  static final int MAX_RECORD_BYTES = 4 << 20;

  static final int PAGE_BYTES = 16 << 10;
  static final int PARTITIONS = 32;
  static final long BUDGET_BYTES = 64 << 20;

  private static final long DATASET = 0x5EED;

  final RecordStores stores;
  final Ownership ownership;
  final Capacity capacity;
  final Fills fills;

  /** What Ignite could not allocate, and why it failed. */
  final List<String> troubles = new CopyOnWriteArrayList<>();

  volatile Predicate<SampleKey> reachable = key -> true;

  /** What the grid keeps of data sets. */
  final Map<Long, DatasetTerms> terms = new ConcurrentHashMap<>();

  private final Ignite ignite;
  private volatile boolean stopped;

  private GridNode(Settings settings) {
    Listener listener = new Listener();
    ignite = Ignition.start(IgniteConfigurations.create(settings, listener, Optional.empty()));
    stores = RecordStores.withPageReader(ignite);
    ownership = new Ownership(ignite, stores);
    capacity =
        Capacity.start(
            ignite,
            stores,
            ownership,
            settings,
            key -> reachable.test(key),
            dataset -> Optional.ofNullable(terms.get(dataset)));
    fills =
        new Fills(
            FillLimits.of(
                settings.fill().leaseTimeout(),
                settings.fill().maxInFlight().bytes(),
                settings.fill().writers()),
            capacity.room());
    listener.node = this;
  }

  static GridNode start(Settings settings) {
    return new GridNode(settings);
  }

  /** Settings of a small node that finds the others on {@code ports}, its own among them. */
  static Settings.Builder settings(List<Integer> ports, int own) {
    return Settings.builder()
        .set(SettingKey.GRID_HOST_ID, "host-" + own)
        .set(SettingKey.GRID_PORT, ports.get(own))
        .set(SettingKey.GRID_COMMUNICATION_PORT, TestNodes.freePort())
        .set(
            SettingKey.GRID_DISCOVERY_ADDRESSES,
            ports.stream().map(port -> "127.0.0.1:" + port).toList())
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.GRID_PARTITIONS, PARTITIONS)
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofBytes(BUDGET_BYTES))
        .set(SettingKey.MEMORY_META_MAX_SIZE, DataSize.ofMiB(32))
        .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofBytes(MAX_RECORD_BYTES));
  }

  static SampleKey key(long index) {
    return key(index, 0);
  }

  static SampleKey key(long index, long version) {
    return new SampleKey(DATASET, 1, 2, version, 0, index);
  }

  /** A record that tells its sample. */
  static byte[] record(long index, int bytes) {
    byte[] record = new byte[bytes];
    Arrays.fill(record, (byte) (index * 31 + 7));
    return record;
  }

  boolean isPrimary(int backups, long index) {
    return ignite
        .<SampleKey>affinity(GridCaches.samples(backups))
        .isPrimary(ignite.cluster().localNode(), key(index));
  }

  /** As a trainer's node does for a record that its trainer has loaded. */
  Fills.Submitted submit(int backups, SampleKey key, int bytes) throws InterruptedException {
    RecordStore store = stores.of(backups);
    long backOffMillis = 1;
    Fills.Submitted submitted = fills.submit(store, key, record(key.index(), bytes));
    while (submitted == Fills.Submitted.BUSY) {
      Thread.sleep(backOffMillis); // What the client does, see io.trainingday.client.Fills.
      backOffMillis = Math.min(2 * backOffMillis, 100);
      submitted = fills.submit(store, key, record(key.index(), bytes));
    }
    return submitted;
  }

  // Ignite points to its metric registry instead, which has this figure only inside its internals.
  @SuppressWarnings("deprecation")
  long usedPages() {
    return ignite.dataRegionMetrics(GridCaches.SAMPLES_REGION).getTotalUsedPages();
  }

  /** How many pages records may use in a grid as it is now. */
  long limitPages() {
    Admission admission = capacity.admission();
    return (admission.admissibleBytes() - admission.reservedBytes()) / PAGE_BYTES;
  }

  /** Whether the record is here, whole and right. */
  boolean holds(int backups, SampleKey key) {
    ByteSink sink = new ByteSink();
    int length = stores.of(backups).read(key, sink);
    return length >= 0 && sink.isAll((byte) (key.index() * 31 + 7), length);
  }

  int members() {
    return ignite.cluster().nodes().size();
  }

  Ignite ignite() {
    return ignite;
  }

  private void drain() {
    stopped = true;
    fills.close();
    capacity.close();
    ownership.close();
    stores.drain();
  }

  @Override
  public void close() {
    if (!stopped) {
      Ignition.stop(ignite.name(), true);
    }
  }

  private final class Listener implements GridListener {
    private volatile @Nullable GridNode node;

    @Override
    public void memoryFull(String cause) {
      troubles.add(cause);
      capacity.admission().close(cause);
    }

    @Override
    public void failed(String cause) {
      troubles.add(cause);
    }

    @Override
    public void refused(String from, Throwable why) {}

    @Override
    public void stopping() {
      if (node != null) {
        drain();
      }
    }
  }
}
