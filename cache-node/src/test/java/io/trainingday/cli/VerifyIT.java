package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.NodeAttributes;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.CacheNode;
import io.trainingday.node.LocalGrid;
import io.trainingday.node.LocalGridLogs;
import io.trainingday.node.TestNodes;
import io.trainingday.node.disk.BitFlips;
import io.trainingday.processes.NodeProcess;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.apache.ignite.cluster.ClusterNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * What {@code verify} finds over two nodes: one is a process, the other one is in this JVM, where
 * the test breaks what it holds.
 */
@ExtendWith(LocalGridLogs.class)
class VerifyIT {
  private static final int SAMPLES = 60;
  private static final Duration SOON = Duration.ofSeconds(60);

  private final Path directory;

  VerifyIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  @ChecksAnswer("verify")
  void verify_findsWhatIsMissing_misplacedAndDamaged() throws Exception {
    List<Settings> plan = new ArrayList<>();
    try (LocalGrid grid =
        LocalGrid.of(1)
            // A node that is paused stays in the grid.
            .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, Duration.ofMinutes(2))
            .eachNode(
                (number, settings) -> {
                  settings.set(SettingKey.DISK_PATH, disk(number));
                  plan.add(settings.build());
                })
            .setDataset("kept", SettingKey.DATASET_TIER, Tier.DISK)
            .setDataset("copied", SettingKey.DATASET_BACKUPS, 1)
            .start()) {
      NodeProcess process = grid.node(0);
      load(grid, "kept");
      try (CacheNode here = CacheNode.launch(second(plan.get(0)))) {
        Ignite ignite = Ignition.allGrids().get(0);
        String address = "unix:" + here.socket();
        await().atMost(SOON).until(() -> hasItsShare(here));
        load(grid, "copied");

        misplaced(address, ignite);
        missingAtTheBackup(address, ignite);
        missingAtThePrimary(address, ignite);
        damagedInMemory(address, ignite);
        damagedOnDisk(address);
        oneDoesNotAnswer(address, grid, process);
      }
    }
  }

  /** What was loaded while one node had all partitions is where half of it belongs no more. */
  private void misplaced(String address, Ignite ignite) {
    long moved =
        LongStream.range(0, SAMPLES)
            .filter(index -> !isOn(ignite, "host-1", GridCaches.samples(0), index))
            .count();
    assertThat(moved).isBetween(1L, SAMPLES - 1L);

    JsonNode found = verify(address, Exit.OK);

    assertThat(found.path("sound").asBoolean()).isTrue();
    assertThat(found.path("misplaced").asLong()).isEqualTo(moved);
    assertThat(found.path("missingCopies").asLong()).isZero();
    assertThat(problems(found))
        .hasSize((int) moved)
        .allSatisfy(
            problem -> assertThat(problem).startsWith("misplaced disk default/kept host-1 "));
    assertThat(found.path("memoryRecords").asLong()).isEqualTo(2 * SAMPLES);
    assertThat(CommandLineRun.of("verify", "--address", address).out())
        .contains(moved + " on a disk where they do not belong")
        .contains("  misplaced: sample ", " of 'default/kept'", " disk on host-1");
  }

  private void missingAtTheBackup(String address, Ignite ignite) {
    List<Cache.Entry<SampleKey, byte[]>> dropped = dropTwo(ignite, false);

    JsonNode found = verify(address, Exit.WRONG);

    assertThat(found.path("sound").asBoolean()).isFalse();
    assertThat(found.path("missingCopies").asLong()).isEqualTo(2);
    assertThat(missing(found)).isEqualTo(told(dropped, "host-1"));
    putBack(ignite, dropped);
    assertThat(verify(address, Exit.OK).path("missingCopies").asLong()).isZero();
  }

  /** The backup tells it, and alone. */
  private void missingAtThePrimary(String address, Ignite ignite) {
    List<Cache.Entry<SampleKey, byte[]>> dropped = dropTwo(ignite, true);

    JsonNode found = verify(address, Exit.WRONG);

    assertThat(found.path("missingCopies").asLong()).isEqualTo(2);
    assertThat(missing(found)).isEqualTo(told(dropped, "host-1"));
    assertThat(CommandLineRun.of("verify", "--address", address).out())
        .contains("2 copies missing", "  missing: sample ", " copies on host-1");
    putBack(ignite, dropped);
  }

  private void damagedInMemory(String address, Ignite ignite) {
    Cache.Entry<SampleKey, byte[]> entry = entries(ignite).get(0);
    byte[] sound = entry.getValue().clone();
    byte[] broken = sound.clone();
    broken[broken.length - 1] ^= 1;
    cache(ignite).put(entry.getKey(), broken);

    JsonNode found = verify(address, Exit.WRONG);

    assertThat(found.path("damaged").asLong()).as("both copies").isEqualTo(2);
    assertThat(problems(found))
        .filteredOn(problem -> problem.startsWith("damaged"))
        .containsExactlyInAnyOrder(
            "damaged memory default/copied host-1 " + entry.getKey().index(),
            "damaged memory default/copied host-2 " + entry.getKey().index());
    cache(ignite).put(entry.getKey(), sound);
    assertThat(verify(address, Exit.OK).path("damaged").asLong()).isZero();
  }

  private void damagedOnDisk(String address) throws Exception {
    assertThat(BitFlips.inEachRecord(disk(1).resolve("samples"), 32)).isEqualTo(SAMPLES);

    JsonNode found = verify(address, Exit.WRONG);

    assertThat(found.path("damaged").asLong()).isEqualTo(SAMPLES);
    assertThat(problems(found)).anyMatch(one -> one.startsWith("damaged disk default/kept host-1"));
  }

  private void oneDoesNotAnswer(String address, LocalGrid grid, NodeProcess process)
      throws Exception {
    grid.pause(process);
    try {
      JsonNode found = verify(address, Exit.UNREACHABLE);

      assertThat(found.path("finished").asBoolean()).isFalse();
      assertThat(found.at("/unanswered/0/host").asText()).isEqualTo("host-1");
    } finally {
      grid.resume(process);
    }
  }

  private Path disk(int number) {
    return directory.resolve("disk-" + number);
  }

  /** The settings of the node in this JVM, from those of the process. */
  private Settings second(Settings first) {
    return TestNodes.settings(directory)
        .set(SettingKey.GRID_HOST_ID, "host-2")
        .set(
            SettingKey.GRID_DISCOVERY_ADDRESSES,
            List.of(first.grid().localAddress() + ":" + first.grid().port()))
        .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, first.grid().failureDetectionTimeout())
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.LANE_TCP_PORT, TestNodes.freePort())
        .set(SettingKey.DISK_PATH, disk(2))
        .setDataset("kept", SettingKey.DATASET_TIER, Tier.DISK)
        .setDataset("copied", SettingKey.DATASET_BACKUPS, 1)
        .build();
  }

  private static boolean hasItsShare(CacheNode node) {
    var grid = node.stats().grid();
    return grid.nodes().size() == 2 && grid.primaries() > 0 && grid.arriving() == 0;
  }

  private static void load(LocalGrid grid, String name) throws InterruptedException {
    NodeProcess node = grid.node(0);
    long[] all = LongStream.range(0, SAMPLES).toArray();
    try (TrainingCache cache = grid.connect(node);
        CachedSamples samples =
            cache.open(DatasetSpec.builder(name).pipeline("p").sourceLength(SAMPLES).build());
        SampleBatch batch = samples.read(all, ReadShape.COLLATED, VerifyIT::sample)) {
      assertThat(batch.originLoads()).isEqualTo(SAMPLES);
      grid.awaitThat(
          "all samples are kept",
          SOON,
          () -> {
            try (SampleBatch again = samples.read(all, ReadShape.COLLATED)) {
              double left = grid.metric(node, "training_day_fill_inflight_bytes");
              return again.hits() == SAMPLES && left == 0
                  ? ""
                  : again.hits() + " hits, " + left + " bytes in flight";
            }
          });
    }
  }

  private static SampleRecord sample(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.I64, new long[] {1}, ByteBuffer.allocate(8).putLong(0, index))
        .build();
  }

  private static JsonNode verify(String address, Exit exit) {
    CommandLineRun run = CommandLineRun.of("verify", "--json", "--address", address);
    assertThat(run.exitCode()).as(run.out() + run.err()).isEqualTo(exit.code());
    return AnswerSchemas.check("verify", run.out());
  }

  private static List<String> problems(JsonNode found) {
    List<String> problems = new ArrayList<>();
    for (JsonNode one : found.path("problems")) {
      problems.add(
          Stream.of("problem", "tier", "dataset", "host", "index")
              .map(name -> one.path(name).asText())
              .reduce((a, b) -> a + " " + b)
              .orElseThrow());
    }
    return problems;
  }

  private static Set<String> missing(JsonNode found) {
    TreeSet<String> missing = new TreeSet<>(problems(found));
    missing.removeIf(problem -> !problem.startsWith("missing"));
    return missing;
  }

  private static Set<String> told(List<Cache.Entry<SampleKey, byte[]>> dropped, String host) {
    TreeSet<String> told = new TreeSet<>();
    dropped.forEach(
        entry ->
            told.add(
                "missing copies default/copied %s %d".formatted(host, entry.getKey().index())));
    return told;
  }

  private static IgniteCache<SampleKey, byte[]> cache(Ignite ignite) {
    return ignite.cache(GridCaches.samples(1));
  }

  private static List<Cache.Entry<SampleKey, byte[]>> entries(Ignite ignite) {
    try (QueryCursor<Cache.Entry<SampleKey, byte[]>> all =
        cache(ignite).query(new ScanQuery<SampleKey, byte[]>())) {
      return all.getAll();
    }
  }

  /** Drops this node's copy of two records, whose primary or whose backup it is. */
  private static List<Cache.Entry<SampleKey, byte[]>> dropTwo(Ignite ignite, boolean primary) {
    ClusterNode here = ignite.cluster().localNode();
    Affinity<SampleKey> owners = ignite.affinity(GridCaches.samples(1));
    List<Cache.Entry<SampleKey, byte[]>> chosen =
        entries(ignite).stream()
            .filter(entry -> owners.isPrimary(here, entry.getKey()) == primary)
            .limit(2)
            .toList();
    assertThat(chosen).hasSize(2);
    for (Cache.Entry<SampleKey, byte[]> entry : chosen) {
      cache(ignite).localClear(entry.getKey());
      assertThat(cache(ignite).localPeek(entry.getKey())).isNull();
    }
    return chosen;
  }

  /** Puts them back on both nodes. */
  private static void putBack(Ignite ignite, List<Cache.Entry<SampleKey, byte[]>> dropped) {
    dropped.forEach(entry -> cache(ignite).put(entry.getKey(), entry.getValue()));
  }

  private static boolean isOn(Ignite ignite, String host, String cache, long index) {
    return StreamSupport.stream(
            ignite.affinity(cache).mapKeyToPrimaryAndBackups(index).spliterator(), false)
        .anyMatch(node -> host.equals(node.attribute(NodeAttributes.HOST_ID)));
  }
}
