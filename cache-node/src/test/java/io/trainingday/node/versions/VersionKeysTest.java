package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.node.TestNodes;
import io.trainingday.node.membership.Fence;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.VersionKey.Request;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongFunction;
import java.util.function.ToLongFunction;
import java.util.stream.LongStream;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

class VersionKeysTest {
  private static final SourceIdentity SOURCE = new SourceIdentity(1_000, "aa11");
  private static final Map<String, String> DEFAULTS =
      Map.of("validation", "checksum", "backups", "0");

  private static Ignite ignite;

  private final AtomicLong freeBytes = new AtomicLong(1L << 30);
  private final AtomicBoolean serving = new AtomicBoolean(true);
  private VersionKeys keys;
  private String name;

  @BeforeAll
  static void startNode() {
    int discoveryPort = TestNodes.freePort();
    IgniteConfiguration configuration =
        new IgniteConfiguration()
            .setIgniteInstanceName("versions-test")
            .setWorkDirectory(Path.of("target", "ignite-versions").toAbsolutePath().toString())
            .setLocalHost("127.0.0.1")
            .setMetricsLogFrequency(0)
            .setDiscoverySpi(
                new TcpDiscoverySpi()
                    .setLocalPort(discoveryPort)
                    .setLocalPortRange(0)
                    .setIpFinder(
                        new TcpDiscoveryVmIpFinder()
                            .setAddresses(List.of("127.0.0.1:" + discoveryPort))))
            .setCommunicationSpi(
                new TcpCommunicationSpi().setLocalPort(TestNodes.freePort()).setLocalPortRange(0))
            .setDataStorageConfiguration(
                new DataStorageConfiguration()
                    .setPageSize(16_384)
                    .setDefaultDataRegionConfiguration(
                        new DataRegionConfiguration()
                            .setName("meta")
                            .setInitialSize(64L << 20)
                            .setMaxSize(64L << 20)))
            .setCacheConfiguration(
                cache("versions"), cache("heads"), cache("pipelines"), cache("manifests"));
    configuration.setClientConnectorConfiguration(null);
    configuration.setConnectorConfiguration(null);
    ignite = Ignition.start(configuration);
  }

  private static CacheConfiguration<Object, Object> cache(String name) {
    return new CacheConfiguration<>(name)
        .setCacheMode(CacheMode.REPLICATED)
        .setAtomicityMode(CacheAtomicityMode.TRANSACTIONAL)
        .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
        .setAffinity(new RendezvousAffinityFunction(false, 8));
  }

  @AfterAll
  static void stopNode() {
    ignite.close();
  }

  @BeforeEach
  void follow(TestInfo test) {
    name = test.getTestMethod().orElseThrow().getName();
    keys = newKeys();
  }

  private VersionKeys newKeys() {
    return newKeys(Checks::hash);
  }

  private VersionKeys newKeys(ToLongFunction<String> hash) {
    return new VersionKeys(
        ignite,
        DEFAULTS,
        freeBytes::get,
        confirms -> Fence.open(),
        serving::get,
        Duration.ofSeconds(5),
        hash,
        null);
  }

  @AfterEach
  void stopFollowing() {
    keys.close();
  }

  @Test
  void open_firstAndSecondTime_giveTheSameIncarnationAndDefaults() {
    OpenDataset first = open();
    OpenDataset second = open();

    assertThat(first.view().incarnation()).isEqualTo(second.view().incarnation());
    assertThat(first.view().generation()).isZero();
    assertThat(first.settings()).isEqualTo(DEFAULTS);
    assertThat(first.key(first.view(), 5, 2)).isEqualTo(second.key(second.view(), 5, 2));
    assertThat(first.scopedName()).isEqualTo("alice/" + name);
  }

  @Test
  void open_otherTenantOrPipeline_isAnotherKeySpace() {
    OpenDataset alice = open();
    OpenDataset bob = keys.open("bob", name, SOURCE, "resize 32", Map.of());
    OpenDataset other = keys.open("alice", name, SOURCE, "resize 64", Map.of());

    assertThat(bob.datasetHash()).isNotEqualTo(alice.datasetHash());
    assertThat(other.datasetHash()).isEqualTo(alice.datasetHash());
    assertThat(other.pipelineHash()).isNotEqualTo(alice.pipelineHash());
  }

  @Test
  void open_manyThreadsAtOnce_makeOneIncarnation() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Long>> opens = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        String pipeline = "pipeline " + i % 4;
        opens.add(() -> keys.open("alice", name, SOURCE, pipeline, Map.of()).view().incarnation());
      }
      List<Long> incarnations = new ArrayList<>();
      for (Future<Long> opened : threads.invokeAll(opens)) {
        incarnations.add(opened.get());
      }
      assertThat(incarnations).hasSize(16).containsOnly(incarnations.get(0));
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void open_otherSource_isRefusedNamingBoth() {
    open();

    assertRefused(
        Reason.SOURCE_MISMATCH,
        () -> keys.open("alice", name, new SourceIdentity(900, ""), "resize 32", Map.of()),
        "data set \"alice/"
            + name
            + "\": source length=900 digest=(none), but it is kept with length=1000 digest=aa11,"
            + " publish the new source if it replaced the old one, else take another name");
  }

  @Test
  void open_otherSettings_isRefusedNamingBoth() {
    open();
    assertThat(keys.open("alice", name, SOURCE, "resize 32", DEFAULTS).settings())
        .isEqualTo(DEFAULTS);

    assertRefused(
        Reason.SETTINGS_MISMATCH,
        () -> keys.open("alice", name, SOURCE, "resize 32", Map.of("validation", "none")),
        "data set \"alice/"
            + name
            + "\": validation=none, but it is kept with validation=checksum, state the same or leave"
            + " it out");
  }

  @Test
  void open_statedSettings_areKept() {
    keys.open("alice", name, SOURCE, "resize 32", Map.of("validation", "none"));

    assertThat(open().settings()).isEqualTo(Map.of("validation", "none", "backups", "0"));
  }

  @Test
  void open_otherBackups_isRefusedNamingBoth() {
    keys.open("alice", name, SOURCE, "resize 32", Map.of("backups", "1"));

    assertRefused(
        Reason.SETTINGS_MISMATCH,
        () -> keys.open("alice", name, SOURCE, "resize 32", Map.of("backups", "2")),
        "data set \"alice/"
            + name
            + "\": backups=2, but it is kept with backups=1, state the same or leave it out");
  }

  @Test
  void open_equalHashes_areRefusedNamingBoth() {
    try (VersionKeys colliding = newKeys(text -> text.contains("/") ? 42 : 43)) {
      colliding.open("alice", "one", SOURCE, "resize 32", Map.of());
      assertRefused(
          Reason.COLLISION,
          () -> colliding.open("alice", "two", SOURCE, "resize 32", Map.of()),
          "data sets \"alice/two\" and \"alice/one\" have the same 64-bit hash, take another name");
      assertRefused(
          Reason.COLLISION,
          () -> colliding.open("alice", "one", SOURCE, "resize 64", Map.of()),
          "pipeline fingerprints \"resize 64\" and \"resize 32\" have the same 64-bit hash, add"
              + " anything to the fingerprint");
      assertRefused(
          Reason.COLLISION,
          () -> colliding.publish("alice", "two", "r", Optional.of(SOURCE)),
          "data sets \"alice/two\" and \"alice/one\" have the same 64-bit hash, take another name");
    }
  }

  @Test
  void open_malformedArguments_areRefused() {
    for (ThrowingCallable open :
        List.<ThrowingCallable>of(
            () -> keys.open("al/ice", name, SOURCE, "p", Map.of()),
            () -> keys.open("", name, SOURCE, "p", Map.of()),
            () -> keys.open("alice", "", SOURCE, "p", Map.of()),
            () -> keys.open("alice", "a\nb", SOURCE, "p", Map.of()),
            () -> keys.open("alice", "x".repeat(256), SOURCE, "p", Map.of()),
            () -> keys.open("alice", name, SOURCE, "", Map.of()),
            () -> keys.open("alice", name, SOURCE, "ä".repeat(16_385), Map.of()),
            () -> keys.open("alice", name, SOURCE, "p", Map.of("validatoin", "none")),
            () -> keys.open("alice", name, SOURCE, "p", Map.of("validation", "")),
            () -> new SourceIdentity(-1, ""),
            () -> new SourceIdentity(1, "x".repeat(1_025)))) {
      assertThat(catchThrowableOfType(DatasetRefusedException.class, open).reason())
          .isEqualTo(Reason.MALFORMED);
    }
  }

  @Test
  void open_metaRegionNearlyFull_refusesWhatIsNewAndServesWhatIsThere() {
    open();
    freeBytes.set(1_000);

    assertThat(open().view().generation()).isZero();
    assertRefused(
        Reason.LIMIT,
        () -> keys.open("alice", name + "2", SOURCE, "resize 32", Map.of()),
        "1000 bytes free for version keys < 8388608, raise memory.metaMaxSize");
  }

  @Test
  void publish_source_raisesEverySampleAndRefusesOlderHandles() {
    OpenDataset before = open();
    SourceIdentity longer = new SourceIdentity(2_000, "bb22");

    assertThat(keys.publish("alice", name, "r1", Optional.of(longer))).isEqualTo(1);

    assertRefused(
        Reason.SOURCE_REPLACED,
        before::view,
        "the source of data set \"alice/"
            + name
            + "\" was replaced while it was open: opened with length=1000 digest=aa11, now"
            + " length=2000 digest=bb22, open it again with the new source");
    OpenDataset after = keys.open("alice", name, longer, "resize 32", Map.of());
    assertThat(after.view().sampleVersion(1_999))
        .satisfies(v -> assertThat(SampleVersion.generation(v)).isEqualTo(1));
    assertThat(after.view().incarnation()).isEqualTo(before.key(after.view(), 0, 0).incarnation());
  }

  @Test
  void publish_sameSource_keepsHandlesOpen() {
    OpenDataset open = open();

    keys.publish("alice", name, "r1", Optional.of(SOURCE));

    assertThat(SampleVersion.generation(open.view().sampleVersion(0))).isEqualTo(1);
  }

  @Test
  void publishChanged_someSamples_raisesOnlyThose() {
    OpenDataset open = open();
    DatasetView former = open.view();

    assertThat(keys.publishChanged("alice", name, "r1", new long[] {7, 3, 999})).isEqualTo(1);

    DatasetView now = open.view();
    assertThat(now.generation()).isEqualTo(1);
    assertThat(
            LongStream.range(0, 1_000)
                .filter(i -> SampleVersion.generation(now.sampleVersion(i)) == 1))
        .containsExactly(3L, 7L, 999L);
    assertThat(former.sampleVersion(7)).isZero();
    assertThat(open.keyAt(now, 0, 7, 0)).isEqualTo(open.key(former, 7, 0));
    assertThat(open.keyAt(former, now.sampleVersion(7), 7, 0)).isEqualTo(open.key(now, 7, 0));
  }

  @Test
  void publishChanged_nothing_changesNothing() {
    OpenDataset open = open();

    assertThat(keys.publishChanged("alice", name, "r1", new long[0])).isZero();
    assertThat(open.view().generation()).isZero();
  }

  @Test
  void publishChanged_indexOutOfRange_isRefusedAndChangesNothing() {
    OpenDataset open = open();

    for (long index : new long[] {-1, 1_000, Long.MIN_VALUE, Long.MAX_VALUE}) {
      assertRefused(
          Reason.INDEX_OUT_OF_RANGE,
          () -> keys.publishChanged("alice", name, "r1", new long[] {1, index, 2}),
          "index=" + index + " of data set \"alice/" + name + "\", take 0 to 999");
      assertRefused(
          Reason.INDEX_OUT_OF_RANGE,
          () -> open.view().sampleVersion(index),
          "index=" + index + " of data set \"alice/" + name + "\", take 0 to 999");
    }
    assertThat(open.view().generation()).isZero();
  }

  @Test
  void publish_repeatedRequest_returnsTheSameGeneration() {
    OpenDataset open = open();
    long[] changed = {1, 2};

    assertThat(keys.publishChanged("alice", name, "r1", changed)).isEqualTo(1);
    assertThat(keys.publish("alice", name, "r2", Optional.of(SOURCE))).isEqualTo(2);
    assertThat(keys.publishChanged("alice", name, "r1", new long[] {2, 1})).isEqualTo(1);
    assertThat(open.view().generation()).isEqualTo(2);
    assertRefused(
        Reason.REQUEST_REUSED,
        () -> keys.publishChanged("alice", name, "r1", new long[] {3}),
        "request id \"r1\" already made generation 1 of data set \"alice/"
            + name
            + "\" with another content, take a new id for a new publish");
  }

  @Test
  void publish_unknownDataset_isRefused() {
    assertRefused(
        Reason.UNKNOWN_DATASET,
        () -> keys.publish("alice", "nobody", "r1", Optional.of(SOURCE)),
        "data set \"alice/nobody\" is unknown, open it before publishing");
  }

  @Test
  void publishChanged_metaRegionNearlyFull_collapsesInsteadOfGrowing() {
    OpenDataset open = open();
    freeBytes.set(1_000);

    keys.publishChanged("alice", name, "r".repeat(64), new long[] {1, 500});

    assertThat(SampleVersion.generation(open.view().floor())).isEqualTo(1);
    assertThat(SampleVersion.generation(open.view().sampleVersion(2))).isEqualTo(1);
  }

  @Test
  void publishChanged_manyTimes_mergesOldSetsAndNeverLosesAChange() {
    OpenDataset open = open();
    for (int i = 0; i < 200; i++) {
      keys.publishChanged("alice", name, "r" + i, new long[] {i, i + 300});
    }
    DatasetView view = open.view();
    assertThat(view.generation()).isEqualTo(200);
    assertThat(view.floor()).isZero();
    for (int i = 0; i < 200; i++) {
      assertThat(SampleVersion.generation(view.sampleVersion(i))).isGreaterThanOrEqualTo(i + 1);
      assertThat(SampleVersion.generation(view.sampleVersion(i + 300)))
          .isGreaterThanOrEqualTo(i + 1);
    }
    assertThat(view.sampleVersion(999)).isZero();
  }

  @Test
  void publish_whileReading_isSeenByEveryReadThatStartsAfterItReturned() throws Exception {
    OpenDataset open = open();
    AtomicLong returned = new AtomicLong();
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService readers = Executors.newFixedThreadPool(2);
    try {
      Callable<Long> reader =
          () -> {
            long reads = 0;
            while (!done.get()) {
              long before = returned.get();
              assertThat(SampleVersion.generation(open.view().sampleVersion(17)))
                  .isGreaterThanOrEqualTo(before);
              reads++;
            }
            return reads;
          };
      List<Future<Long>> reading = List.of(readers.submit(reader), readers.submit(reader));
      for (int i = 1; i <= 100; i++) {
        returned.set(keys.publishChanged("alice", name, "r" + i, new long[] {17}));
      }
      done.set(true);
      for (Future<Long> reads : reading) {
        assertThat(reads.get()).isPositive();
      }
    } finally {
      done.set(true);
      readers.shutdown();
    }
  }

  @Test
  void publish_throughAnotherFollower_reachesThisOne() {
    OpenDataset open = open();
    try (VersionKeys other = newKeys()) {
      other.publishChanged("alice", name, "r1", new long[] {4});
      // On one node the replica's listeners run inside the commit.
      assertThat(SampleVersion.generation(open.view().sampleVersion(4))).isEqualTo(1);
    }
  }

  @Test
  void open_afterTheFollowerStartsLate_findsTheCurrentGeneration() {
    open();
    keys.publishChanged("alice", name, "r1", new long[] {4});

    try (VersionKeys late = newKeys()) {
      OpenDataset open = late.open("alice", name, SOURCE, "resize 32", Map.of());
      assertThat(SampleVersion.generation(open.view().sampleVersion(4))).isEqualTo(1);
    }
  }

  @Test
  void view_unreadableVersionKey_stopsServingTheDataset() {
    OpenDataset open = open();
    byte[] newer = versions().get(open.datasetHash()).clone();
    newer[1] = 9;
    versions().put(open.datasetHash(), newer);
    heads().put(open.datasetHash(), new Head(open.view().incarnation(), 1, 1).encode());

    assertRefused(
        Reason.NEWER_LAYOUT,
        open::view,
        "version key has layout 9, this node reads 1, upgrade this node");
    assertRefused(
        Reason.NEWER_LAYOUT,
        open::servableView,
        "version key has layout 9, this node reads 1, upgrade this node");
    versions().remove(open.datasetHash());
  }

  @Test
  void view_removedVersionKey_endsOpenHandlesAndMakesAnotherIncarnation() {
    OpenDataset former = open();
    long incarnation = former.view().incarnation();
    heads().remove(former.datasetHash());
    versions().remove(former.datasetHash());

    assertRefused(
        Reason.UNKNOWN_DATASET,
        former::view,
        "data set \"alice/" + name + "\" was dropped, open it again");
    assertThat(open().view().incarnation()).isNotEqualTo(incarnation);
    assertThatThrownBy(former::view).isInstanceOf(DatasetRefusedException.class);
    assertThatThrownBy(former::servableView).isInstanceOf(DatasetRefusedException.class);
  }

  @Test
  void view_headBeforeItsVersionKey_staysTheFormerUntilBothAreThere() {
    OpenDataset open = open();
    VersionKey former = Layout.decodeVersionKey(versions().get(open.datasetHash()));
    VersionKey next = former.published(new Request("r1", 1, 1), SOURCE);

    heads().put(open.datasetHash(), Head.of(next).encode());
    assertThat(open.view().generation()).isZero();

    versions().put(open.datasetHash(), Layout.encode(next));
    assertThat(open.view().generation()).isEqualTo(1);
  }

  @Test
  void servableView_withoutTheLease_isNone() {
    OpenDataset open = open();
    assertThat(open.servableView()).isEqualTo(open.view());

    serving.set(false);

    assertThat(open.servableView()).isNull();
    assertThat(open.view().generation()).isZero();
  }

  @Test
  void servableView_afterClosing_isNone() {
    OpenDataset open = open();

    keys.close();

    assertThat(open.servableView()).isNull();
    assertThat(open.view().generation()).isZero();
  }

  private static IgniteCache<Long, byte[]> versions() {
    return ignite.cache("versions");
  }

  private static IgniteCache<Long, byte[]> heads() {
    return ignite.cache("heads");
  }

  @Test
  void publish_withoutANewSource_changesEverySampleOfTheSameSource() {
    OpenDataset open = open();

    assertThat(keys.publish("alice", name, "r1", Optional.empty())).isEqualTo(1);

    assertThat(SampleVersion.generation(open.view().floor())).isEqualTo(1);
    assertThat(open.view().source()).isEqualTo(SOURCE);
    assertThat(keys.publish("alice", name, "r1", Optional.empty())).isEqualTo(1);
    assertThatThrownBy(() -> keys.publish("alice", name, "r1", Optional.of(SOURCE)))
        .isInstanceOf(DatasetRefusedException.class)
        .hasMessageContaining("with another content");
  }

  @Test
  void publishManifest_first_changesNothingAndIsKept() {
    OpenDataset open = open();

    assertThat(manifest("r1", i -> "v1 of " + i)).isZero();
    assertThat(open.view().generation()).isZero();

    assertThat(manifest("r2", i -> i == 7 ? "v2" : "v1 of " + i)).isEqualTo(1);
    assertThat(changedAt(open, 1)).containsExactly(7L);
  }

  @Test
  void publishManifest_repeated_changesNothingMore() {
    OpenDataset open = open();
    manifest("r1", i -> "v1");
    assertThat(manifest("r2", i -> i < 3 ? "v2" : "v1")).isEqualTo(1);

    assertThat(manifest("r2", i -> i < 3 ? "v2" : "v1")).isEqualTo(1);
    assertThat(manifest("another id", i -> i < 3 ? "v2" : "v1")).isEqualTo(1);
    assertThat(open.view().generation()).isEqualTo(1);
    assertThatThrownBy(() -> manifest("r2", i -> "v3"))
        .isInstanceOf(DatasetRefusedException.class)
        .hasMessageContaining("with another content");
  }

  @Test
  void publishManifest_ofSomeSamples_keepsTheOthersAsTheyWere() {
    OpenDataset open = open();
    manifest("r1", i -> "v1");

    keys.publishManifest("alice", name, "r2", new long[] {5, 4}, new String[] {"v2", "v1"});
    assertThat(changedAt(open, 1)).containsExactly(5L);

    manifest("r3", i -> i == 5 ? "v2" : i == 900 ? "v2" : "v1");
    assertThat(changedAt(open, 2)).containsExactly(900L);
  }

  @Test
  void publishManifest_backToAnEarlierStamp_isAChange() {
    OpenDataset open = open();
    manifest("r1", i -> "v1");
    manifest("r2", i -> i == 5 ? "v2" : "v1");

    assertThat(manifest("r3", i -> "v1")).isEqualTo(2);
    assertThat(changedAt(open, 2)).containsExactly(5L);
  }

  @Test
  void publishManifest_malformed_isRefusedAndChangesNothing() {
    open();
    assertRefused(
        Reason.MALFORMED,
        () -> keys.publishManifest("alice", name, "r", new long[] {1, 2}, new String[] {"a"}),
        "2 indices and 1 stamps, give one stamp an index");
    assertRefused(
        Reason.MALFORMED,
        () -> keys.publishManifest("alice", name, "r", new long[] {3, 1, 3}, stamps("a", "b", "c")),
        "index=3 is in the manifest twice");
    assertRefused(
        Reason.MALFORMED,
        () -> keys.publishManifest("alice", name, "r", new long[] {3}, stamps("")),
        "stamp \"\" has 0 bytes, take 1 to 1024");
    assertRefused(
        Reason.INDEX_OUT_OF_RANGE,
        () -> keys.publishManifest("alice", name, "r", new long[] {3, 1_000}, stamps("a", "b")),
        "index=1000 of data set \"alice/" + name + "\", take 0 to 999");
    assertThat(keys.publishManifest("alice", name, "r", new long[0], stamps())).isZero();
    assertThat(keys.publishManifest("alice", name, "r", new long[] {3}, stamps("b"))).isZero();
  }

  @Test
  void publishManifest_metaRegionNearlyFull_isRefused() {
    open();
    freeBytes.set((8 << 20) + 1_000);

    assertRefused(
        Reason.LIMIT,
        () -> manifest("r1", i -> "v1"),
        "8389608 bytes free for version keys < 8396618, raise memory.metaMaxSize");
  }

  private static String[] stamps(String... stamps) {
    return stamps;
  }

  private long manifest(String requestId, LongFunction<String> stamp) {
    long[] indices = LongStream.range(0, 1_000).toArray();
    return keys.publishManifest(
        "alice",
        name,
        requestId,
        indices,
        LongStream.of(indices).mapToObj(stamp).toArray(String[]::new));
  }

  private static LongStream changedAt(OpenDataset open, long generation) {
    DatasetView view = open.view();
    return LongStream.range(0, 1_000)
        .filter(i -> SampleVersion.generation(view.sampleVersion(i)) == generation);
  }

  @Test
  void transaction_thatFails_isRepeatedUntilItSucceeds() {
    Transactions transactions = new Transactions(ignite, Duration.ofSeconds(20));
    AtomicLong attempts = new AtomicLong();

    String result =
        transactions.run(
            "test",
            transactions.deadline(),
            () -> {
              versions().put(1L, new byte[] {(byte) attempts.incrementAndGet()});
              if (attempts.get() < 3) {
                throw new CacheException("primary left");
              }
              return "done";
            });

    assertThat(result).isEqualTo("done");
    assertThat(versions().getAndRemove(1L)).containsExactly(3);
  }

  @Test
  void transaction_thatKeepsFailing_endsInAWordedError() {
    Transactions transactions = new Transactions(ignite, Duration.ofMillis(100));

    assertThatThrownBy(
            () ->
                transactions.run(
                    "publish of data set \"a/b\"",
                    transactions.deadline(),
                    () -> {
                      throw new IgniteException("primary left");
                    }))
        .isInstanceOf(GridUnavailableException.class)
        .hasMessage(
            "publish of data set \"a/b\": the grid did not do it in time, repeat it: primary left");
  }

  @Test
  void transaction_thatIsRefused_isNotRepeated() {
    Transactions transactions = new Transactions(ignite, Duration.ofSeconds(20));
    AtomicLong attempts = new AtomicLong();

    assertThatThrownBy(
            () ->
                transactions.run(
                    "test",
                    transactions.deadline(),
                    () -> {
                      attempts.incrementAndGet();
                      versions().put(1L, new byte[1]);
                      throw Checks.malformed("no");
                    }))
        .isInstanceOf(DatasetRefusedException.class);
    assertThat(attempts).hasValue(1);
    assertThat(versions().get(1L)).isNull();
  }

  @Test
  void datasetsJson_listsTheTenantsDatasets() throws Exception {
    OpenDataset open = open();
    open.checkSchema(11, "image: u8, 3 dimensions");
    keys.open("alice", name, SOURCE, "resize 64", Map.of());
    keys.open("alicia", name, SOURCE, "resize 32", Map.of());
    DatasetAdmin admin =
        new DatasetAdmin(
            keys,
            () ->
                Map.of(
                    open.datasetHash(),
                    new DatasetUsage.Held(
                        5,
                        700,
                        Set.of("b", "a"),
                        Set.of(new UUID(0, 1), new UUID(0, 2)),
                        Map.of(open.pipelineHash(), 4L, 77L, 1L))));
    admin.invalidate("alice", name, new long[] {1});

    JsonNode all = new JsonMapper().readTree(admin.datasetsJson("alice"));

    List<JsonNode> mine = new ArrayList<>();
    all.forEach(
        dataset -> {
          if (dataset.get("name").textValue().equals(name)) {
            mine.add(dataset);
          }
        });
    assertThat(mine).hasSize(1);
    assertThat(mine.get(0))
        .isEqualTo(
            new JsonMapper()
                .readTree(
                    """
                    {"name": "%s", "generation": 1, "floor": 0, "incarnation": "%016x",
                     "source": {"length": 1000, "digest": "aa11"},
                     "settings": {"backups": "0", "validation": "checksum"},
                     "pipelines": [
                       {"fingerprint": "resize 32", "schema": "image: u8, 3 dimensions",
                        "entries": 4},
                       {"fingerprint": "resize 64", "schema": "", "entries": 0}],
                     "samples": 1000, "copies": 1, "entries": 5, "bytes": 700, "hosts": ["a", "b"]}
                    """
                        .formatted(name, open.view().incarnation())));
    assertThat(new JsonMapper().readTree(admin.datasetsJson("nobody"))).isEmpty();
  }

  @Test
  void checkSchema_otherFamily_isRefusedNamingTheFields() {
    OpenDataset open = open();
    open.checkSchema(
        11, "image: u8, 3 dimensions\nlabel: i64, 0 dimensions\nid: i32, 0 dimensions");
    open.checkSchema(11, "image: u8, 3 dimensions");

    for (OpenDataset each : List.of(open, open())) {
      assertRefused(
          Reason.SCHEMA_MISMATCH,
          () ->
              each.checkSchema(
                  12,
                  "image: f32, 3 dimensions\nlabel: i64, 0 dimensions\nweight: f32, 0 dimensions"),
          "a record of data set \"alice/"
              + name
              + "\" does not fit its pipeline: field \"image\" is f32, 3 dimensions, not u8, 3"
              + " dimensions, field \"id\" (i32, 0 dimensions) is missing, field \"weight\" (f32, 0"
              + " dimensions) is new; a preprocessing that makes other fields needs another pipeline"
              + " fingerprint");
    }
    keys.open("alice", name, SOURCE, "another", Map.of()).checkSchema(12, "image: f32");
  }

  @Test
  void checkSchema_twoFirstRecordsAtOnce_keepOne() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Boolean>> fills = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        long family = i;
        OpenDataset open = open();
        fills.add(
            () -> {
              try {
                open.checkSchema(family, "field" + family + ": u8");
                return true;
              } catch (DatasetRefusedException e) {
                assertThat(e.reason()).isEqualTo(Reason.SCHEMA_MISMATCH);
                return false;
              }
            });
      }
      int accepted = 0;
      for (Future<Boolean> fill : threads.invokeAll(fills)) {
        accepted += fill.get() ? 1 : 0;
      }
      assertThat(accepted).isEqualTo(1);
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void settingsByTenant_areThoseOfThatNameAlone() {
    keys.open("alice", name, SOURCE, "p", Map.of("backups", "1"));
    keys.open("bob", name, SOURCE, "p", Map.of());
    keys.open("bob", "x/" + name, SOURCE, "p", Map.of());
    keys.open("bob", name + "x", SOURCE, "p", Map.of());

    assertThat(keys.settingsByTenant(name))
        .isEqualTo(
            Map.of("alice", Map.of("validation", "checksum", "backups", "1"), "bob", DEFAULTS));
    assertThat(keys.settingsByTenant("x/" + name)).isEqualTo(Map.of("bob", DEFAULTS));
    assertThat(keys.settingsByTenant("none")).isEmpty();
  }

  @Test
  void checkSchema_afterEverythingWasPublished_isLearnedAnew() {
    OpenDataset open = open();
    open.checkSchema(11, "image: u8");
    keys.publishChanged("alice", name, "r1", new long[] {1});
    assertThatThrownBy(() -> open.checkSchema(12, "image: f32"))
        .isInstanceOf(DatasetRefusedException.class);

    keys.publish("alice", name, "r2", Optional.of(SOURCE));

    open.checkSchema(12, "image: f32");
    assertThatThrownBy(() -> open.checkSchema(11, "image: u8"))
        .isInstanceOf(DatasetRefusedException.class);
  }

  private OpenDataset open() {
    return keys.open("alice", name, SOURCE, "resize 32", Map.of());
  }

  private static void assertRefused(Reason reason, ThrowingCallable call, String message) {
    DatasetRefusedException refused = catchThrowableOfType(DatasetRefusedException.class, call);
    assertThat(refused).isNotNull().hasMessage(message);
    assertThat(refused.reason()).isEqualTo(reason);
  }
}
