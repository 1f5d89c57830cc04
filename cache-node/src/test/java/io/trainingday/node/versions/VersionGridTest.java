package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.node.TestNodes;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Version keys on three nodes. */
class VersionGridTest {
  private static final Logger LOG = LoggerFactory.getLogger(VersionGridTest.class);
  private static final int PORT = TestNodes.freePorts(VersionNode.PORTS);
  private static final SourceIdentity SOURCE = new SourceIdentity(100_000, "aa11");
  private static final List<VersionNode> NODES = new ArrayList<>();

  private static Path directory;

  @BeforeAll
  static void start(@TempDir Path temporary) {
    directory = temporary;
    for (int i = 0; i < 3; i++) {
      NODES.add(VersionNode.start(i, PORT, directory));
    }
  }

  @AfterAll
  static void stop() {
    NODES.forEach(VersionNode::close);
  }

  private static OpenDataset open(VersionNode node, TestInfo test) {
    return node.keys().open("alice", test.getDisplayName(), SOURCE, "p", Map.of());
  }

  private static DatasetView servable(OpenDataset open) {
    return Objects.requireNonNull(open.servableView(), "this node does not serve");
  }

  @Test
  void publish_onOneNode_isSeenAtOnceByEveryOther10000Times(TestInfo test) {
    List<OpenDataset> open = NODES.stream().map(node -> open(node, test)).toList();
    long[] nanos = new long[10_000];
    for (int i = 0; i < nanos.length; i++) {
      long index = i % 7;
      VersionKeys publisher = NODES.get(i % 3).keys();
      long start = System.nanoTime();
      long made =
          publisher.publishChanged("alice", test.getDisplayName(), "r" + i, new long[] {index});
      nanos[i] = System.nanoTime() - start;
      for (int other = 1; other <= 3; other++) {
        DatasetView view = servable(open.get((i + other) % 3));
        if (view.generation() != made
            || SampleVersion.generation(view.sampleVersion(index)) != made) {
          throw new AssertionError(
              "publish %d made generation %d, node %d reads %d"
                  .formatted(i, made, (i + other) % 3, view.generation()));
        }
      }
    }
    Arrays.sort(nanos);
    long median = TimeUnit.NANOSECONDS.toMicros(nanos[nanos.length / 2]);
    LOG.info("publish: median {} us, 99 % {} us", median, nanos[nanos.length / 100 * 99] / 1_000);
    assertThat(median).isLessThan(100_000);
  }

  @Test
  void read_ofAnotherNodesPublish_neverStartsBehindIt(TestInfo test) throws Exception {
    List<OpenDataset> open = NODES.stream().map(node -> open(node, test)).toList();
    AtomicLong returned = new AtomicLong();
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService readers = Executors.newFixedThreadPool(2);
    try {
      List<Future<Long>> reading =
          IntStream.of(1, 2)
              .mapToObj(
                  i ->
                      readers.submit(
                          () -> {
                            long reads = 0;
                            for (; !done.get(); reads++) {
                              long before = returned.get();
                              assertThat(servable(open.get(i)).generation())
                                  .isGreaterThanOrEqualTo(before);
                            }
                            return reads;
                          }))
              .toList();
      for (int i = 0; i < 300; i++) {
        returned.set(
            NODES.get(0).keys().publish("alice", test.getDisplayName(), "r" + i, Optional.empty()));
      }
      done.set(true);
      for (Future<Long> reads : reading) {
        assertThat(reads.get(10, TimeUnit.SECONDS)).isGreaterThan(1_000);
      }
    } finally {
      done.set(true);
      readers.shutdownNow();
    }
  }

  @Test
  void publish_whileANodeJoinsAndLeaves_isSeenByItAndWaitsForNobody(TestInfo test)
      throws Exception {
    OpenDataset here = open(NODES.get(0), test);
    ExecutorService publisher = Executors.newSingleThreadExecutor();
    AtomicBoolean done = new AtomicBoolean();
    AtomicLong returned = new AtomicLong();
    try {
      Future<Long> slowest =
          publisher.submit(
              () -> {
                long worst = 0;
                for (int i = 0; !done.get(); i++) {
                  long start = System.nanoTime();
                  returned.set(
                      NODES
                          .get(1)
                          .keys()
                          .publishChanged(
                              "alice", test.getDisplayName(), "r" + i, new long[] {i % 100}));
                  worst = Math.max(worst, System.nanoTime() - start);
                }
                return worst;
              });
      for (int round = 0; round < 2; round++) {
        try (VersionNode joiner = VersionNode.start(3, PORT, directory)) {
          OpenDataset there = open(joiner, test);
          for (int i = 0; i < 2_000; i++) {
            long before = returned.get();
            assertThat(servable(there).generation()).isGreaterThanOrEqualTo(before);
            assertThat(servable(here).generation()).isGreaterThanOrEqualTo(before);
          }
          long before = returned.get();
          joiner
              .keys()
              .publishChanged("alice", test.getDisplayName(), "j" + round, new long[] {100});
          assertThat(servable(here).generation()).isGreaterThan(before);
        }
      }
      done.set(true);
      assertThat(Duration.ofNanos(slowest.get(30, TimeUnit.SECONDS)))
          .isLessThan(VersionNode.PATIENCE);
    } finally {
      done.set(true);
      publisher.shutdownNow();
    }
    // Where all are there, none waits until a lease has run out.
    long quickest = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long start = System.nanoTime();
      NODES.get(2).keys().publish("alice", test.getDisplayName(), "last" + i, Optional.empty());
      quickest = Math.min(quickest, System.nanoTime() - start);
    }
    assertThat(quickest).isLessThan(VersionNode.LEASE.toNanos());
  }

  @Test
  void publish_repeatedOnAnotherNode_returnsTheSameGeneration(TestInfo test) {
    open(NODES.get(0), test);
    String name = test.getDisplayName();

    long made = NODES.get(0).keys().publishChanged("alice", name, "once", new long[] {1});

    assertThat(NODES.get(1).keys().publishChanged("alice", name, "once", new long[] {1}))
        .isEqualTo(made);
    assertThatThrownBy(
            () -> NODES.get(2).keys().publishChanged("alice", name, "once", new long[] {2}))
        .isInstanceOf(DatasetRefusedException.class);
  }

  @Test
  void publishManifest_100Of100000Changed_changesExactlyThose(TestInfo test) {
    OpenDataset open = open(NODES.get(2), test);
    String name = test.getDisplayName();
    long[] indices = LongStream.range(0, 100_000).toArray();
    String[] stamps = new String[indices.length];
    Arrays.setAll(stamps, i -> "mtime=1700000000." + i + " size=" + (i * 31L));
    assertThat(NODES.get(0).keys().publishManifest("alice", name, "m1", indices, stamps)).isZero();

    long[] changed = LongStream.range(0, 100).map(i -> i * 997).toArray();
    for (long index : changed) {
      stamps[(int) index] += " touched";
    }
    assertThat(NODES.get(1).keys().publishManifest("alice", name, "m2", indices, stamps))
        .isEqualTo(1);

    DatasetView view = servable(open);
    assertThat(LongStream.of(indices).filter(i -> view.sampleVersion(i) != 0).toArray())
        .isEqualTo(changed);
    assertThat(NODES.get(2).keys().publishManifest("alice", name, "m3", indices, stamps))
        .isEqualTo(1);
  }

  @Test
  void datasets_openedOnOneNode_areListedOnEveryOther(TestInfo test) {
    open(NODES.get(0), test);

    for (VersionNode node : NODES) {
      assertThat(new DatasetAdmin(node.keys(), Map::of).datasetsJson("alice"))
          .contains("\"" + test.getDisplayName() + "\"");
    }
  }
}
