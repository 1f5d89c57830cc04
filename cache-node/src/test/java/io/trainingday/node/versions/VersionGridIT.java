package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.TestNodes;
import io.trainingday.node.consistency.ConsistencyChecker;
import io.trainingday.node.consistency.Operation;
import io.trainingday.node.consistency.Operation.Publish;
import io.trainingday.node.consistency.Operation.Read;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.VersionProcess.Watched;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Publishing while nodes die and pause: one node here, two in processes of their own. */
class VersionGridIT {
  private static final Logger LOG = LoggerFactory.getLogger(VersionGridIT.class);
  private static final int PORT = TestNodes.freePorts(VersionNode.PORTS);
  private static final SourceIdentity SOURCE = new SourceIdentity(100, "aa11");
  private static final String NAME = "pictures";
  private static final long INDEX = 7;

  /** What a publish may take: to notice a death, a lease, and what a busy machine adds. */
  private static final Duration BOUND =
      VersionNode.FAILURE_DETECTION.plus(VersionNode.LEASE).plusSeconds(3);

  private final List<Publish> publishes = new ArrayList<>();
  private Duration slowest = Duration.ZERO;
  private Path directory;
  private VersionNode here;
  private VersionProcess one;
  private VersionProcess two;

  @BeforeEach
  void start(@TempDir Path directory) throws Exception {
    this.directory = directory;
    here = VersionNode.start(0, PORT, directory);
    open();
    one = new VersionProcess(1, PORT, directory);
    two = new VersionProcess(2, PORT, directory);
    one.watch(NAME, INDEX);
    two.watch(NAME, INDEX);
  }

  @AfterEach
  void stop() {
    one.close();
    two.close();
    here.close();
  }

  private OpenDataset open() {
    return here.keys().open("alice", NAME, SOURCE, "p", Map.of());
  }

  private long publish(String requestId) {
    long start = System.nanoTime();
    long made = here.keys().publishChanged("alice", NAME, requestId, new long[] {INDEX});
    long end = System.nanoTime();
    publishes.add(Publish.of(start, end, made, INDEX));
    Duration took = Duration.ofNanos(end - start);
    slowest = took.compareTo(slowest) > 0 ? took : slowest;
    return made;
  }

  private void assertNeverStale(Watched watched) {
    List<Read> reads = new ArrayList<>();
    watched
        .lastStarts()
        .forEach(
            (version, start) -> reads.add(new Read(start, Operation.NEVER, INDEX, INDEX, version)));
    assertThat(new ConsistencyChecker(publishes).check(reads)).isEmpty();
  }

  @Test
  void publish_whileANodeIsKilled_goesOnAndIsNeverMissed() throws Exception {
    for (int i = 0; i < 50; i++) {
      publish("before-" + i);
    }
    Thread killer =
        new Thread(
            () -> {
              try {
                one.kill();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            });
    killer.start();
    for (int i = 0; i < 50 || killer.isAlive() || here.members().size() > 2; i++) {
      publish("during-" + i);
    }
    LOG.info("slowest publish while a node was killed: {} ms", slowest.toMillis());

    assertThat(slowest).isLessThan(BOUND);
    assertThat(publish("after")).isEqualTo(publishes.size());
    assertNeverStale(two.watched());
    assertThat(here.lease().isHeld()).isTrue();

    try (VersionProcess back = new VersionProcess(1, PORT, directory)) {
      back.watch(NAME, INDEX);
      long made = publish("back");
      await().until(() -> back.watched().lastStarts().containsKey(made));
      assertNeverStale(back.watched());
      assertNeverStale(two.watched());
    }
  }

  @Test
  void publish_whileANodeIsPaused_returnsInTimeAndThePausedNodeNeverServesWhatWas()
      throws Exception {
    publish("before");
    long pausedAt = System.nanoTime();
    one.pause();

    publish("while paused");
    LOG.info("publish while a node was paused: {} ms", slowest.toMillis());
    assertThat(slowest).isLessThan(BOUND);
    // Its lease had to run out first.
    assertThat(System.nanoTime() - pausedAt).isGreaterThan(VersionNode.LEASE.toNanos() / 2);
    publish("again");

    one.resume();
    long reads = one.watched().reads();
    await().atMost(Duration.ofSeconds(30)).until(() -> one.watched().reads() > reads + 10_000);
    Watched woken = one.watched();
    assertThat(woken.notServed()).isGreaterThan(10_000);
    assertNeverStale(woken);
    assertNeverStale(two.watched());
    assertThat(two.watched().lastStarts()).containsKey(3L);
  }

  @Test
  void publish_whereTheMajorityIsLost_isRefusedAndNothingIsServed() throws Exception {
    OpenDataset open = open();
    publish("before");
    assertThat(open.servableView()).isNotNull();
    one.pause();
    two.pause();

    // Made here at best, but it must not return as if all had seen it.
    Throwable lost = catchThrowable(() -> publish("lost"));
    assertThat(lost)
        .isInstanceOfAny(DatasetRefusedException.class, GridUnavailableException.class)
        .hasMessageContaining("publish of data set \"alice/pictures\"");
    await().until(() -> here.members().size() == 1);
    assertThat(open.servableView()).isNull();
    assertThat(here.membership().trouble())
        .hasValueSatisfying(
            trouble ->
                assertThat(trouble)
                    .startsWith(
                        "this node sees 1 of the grid's 3 nodes ["
                            + VersionNode.name(0, PORT)
                            + ","));
    assertThatThrownBy(() -> publish("refused"))
        .isInstanceOfSatisfying(
            DatasetRefusedException.class,
            refused -> assertThat(refused.reason()).isEqualTo(Reason.MINORITY))
        .hasMessageStartingWith(
            "publish of data set \"alice/pictures\" is refused: this node sees 1 of the grid's 3"
                + " nodes");
  }

  @Test
  void publish_whosePublisherIsKilled_isRepeatedByItsRequestId() throws Exception {
    Path made = directory.resolve("made");
    one.publishFor(NAME, INDEX, made);
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> Files.exists(made) && Files.readAllLines(made).size() > 30);
    one.kill();

    List<String> lines = Files.readAllLines(made);
    for (String line : lines) {
      String[] words = line.split(" ", -1);
      publishes.add(
          Publish.of(
              Long.parseLong(words[0]), Long.parseLong(words[1]), Long.parseLong(words[2]), INDEX));
    }
    int last = lines.size() - 1;
    long lastMade = publishes.get(last).version();
    assertThat(here.keys().publishChanged("alice", NAME, "child-" + last, new long[] {INDEX}))
        .isEqualTo(lastMade);
    // The one under way was made or was not; now it is, and once.
    assertThat(publish("child-" + (last + 1))).isEqualTo(lastMade + 1);
    assertThat(publish("mine")).isEqualTo(lastMade + 2);
    assertNeverStale(two.watched());
  }
}
