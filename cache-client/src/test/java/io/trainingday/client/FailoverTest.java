package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.Renew;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.lane.ScriptedServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What becomes of a trainer when its node goes and others are there. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FailoverTest {
  private static final long[] BATCH = {3, 1, 4, 5, 9};
  private static final Logger LOGGER = (Logger) LoggerFactory.getLogger("io.trainingday.client");

  private final Path directory;
  private final ListAppender<ILoggingEvent> log = new ListAppender<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final Samples loader = Samples.equal();

  FailoverTest(@TempDir Path directory) {
    this.directory = directory;
    log.start();
    LOGGER.addAppender(log);
  }

  @AfterEach
  void closeAll() throws Exception {
    LOGGER.detachAppender(log);
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  @Test
  void localNodeDies_readsGoOnThroughAnotherAndComeBackToSharedMemory() throws Exception {
    FakeNode other = remote("other");
    FakeNode home = home(other);
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    fill(home);
    fill(other);
    readWarm(samples); // Inline: how large a batch is shows only then.
    readWarm(samples);
    assertThat(samples.stats().slotBatches()).isEqualTo(1);

    home.close();
    // Whichever request is the first to find out, its batch is right, and so are all others.
    while (!cache.attachedTo().equals(text(other))) {
      readRight(samples);
    }
    int before = loader.loads();
    long inline = samples.stats().inlineBatches();
    readWarm(samples);
    assertThat(loader.loads()).isEqualTo(before);
    assertThat(samples.stats().inlineBatches()).isEqualTo(inline + 1);
    await().untilAsserted(() -> assertThat(warnings()).hasSize(1));
    assertThat(warnings().get(0))
        .startsWith("the cache node at unix:" + FakeNode.socket(directory) + " is lost: ")
        .contains("Samples come through the one at " + other.address() + " until it is back");

    FakeNode again = home(other);
    fill(again);
    await().until(() -> cache.attachedTo().equals(text(again)));
    long slots = samples.stats().slotBatches();
    readWarm(samples);
    assertThat(samples.stats().slotBatches()).isEqualTo(slots + 1);
    assertThat(warnings()).hasSize(1);
    await().untilAsserted(() -> assertThat(other.connections()).isZero());
  }

  @Test
  void homeIsBack_batchUnderWayEndsWhereItBegan() throws Exception {
    FakeNode other = remote("other");
    FakeNode home = home(other);
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    home.close();
    await().until(() -> cache.attachedTo().equals(text(other)));

    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CompletableFuture<Void> batch =
        CompletableFuture.runAsync(
            () -> {
              SampleLoader slow =
                  index -> {
                    loading.countDown();
                    join(goOn);
                    return loader.load(index);
                  };
              try (SampleBatch read = samples.read(BATCH, ReadShape.COLLATED, slow)) {
                loader.assertRight(read);
              }
            });
    join(loading);
    assertThat(other.leasedIndices()).containsExactlyInAnyOrder(3L, 1L, 4L, 5L, 9L);

    FakeNode again = home(other);
    await().until(() -> cache.attachedTo().equals(text(again)));
    int renewals = other.received(Renew.class).size();
    await().until(() -> other.received(Renew.class).size() > renewals);
    assertThat(other.connections()).isEqualTo(1);
    goOn.countDown();
    batch.get();

    assertThat(other.received(Fill.class)).hasSize(BATCH.length);
    assertThat(other.records()).containsOnlyKeys(3L, 1L, 4L, 5L, 9L);
    assertThat(again.received(Fill.class)).isEmpty();
    await().untilAsserted(() -> assertThat(other.connections()).isZero());
  }

  @Test
  void tcpAloneAndItsNodeDies_anotherTakesItsPlace() throws Exception {
    FakeNode second = remote("second");
    FakeNode first = remote("first");
    first.tellOf(second);
    int port = Integer.parseInt(first.laneAddress().substring("127.0.0.1:".length()));
    TrainingCache cache =
        connect(TrainingCache.Config.builder().address(first.address().text()).build());
    CachedSamples samples = cache.open(spec());
    fill(first);
    fill(second);
    readWarm(samples);
    assertThat(samples.stats().inlineBatches()).isEqualTo(1);

    first.close();
    while (!cache.attachedTo().equals(text(second))) {
      readRight(samples);
    }
    readWarm(samples);
    await().untilAsserted(() -> assertThat(warnings()).hasSize(1));

    FakeNode again = FakeNode.startTcp(Files.createDirectory(directory.resolve("again")), port);
    opened.add(again);
    await().until(() -> cache.attachedTo().equals(text(again)));
  }

  @Test
  void wholeGridGone_originWithOneWarningAndBackByItself() throws Exception {
    FakeNode other = remote("other");
    FakeNode home = home(other);
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    readRight(samples);

    other.close();
    home.close();
    await()
        .untilAsserted(
            () -> {
              readRight(samples);
              assertThat(warnings()).hasSize(1);
            });
    for (int i = 0; i < 20; i++) {
      readRight(samples);
    }
    assertThat(cache.isAttached()).isFalse();
    assertThat(warnings()).hasSize(1);
    assertThat(warnings().get(0))
        .startsWith("the cache node at unix:" + FakeNode.socket(directory) + " is lost: ")
        .contains("No other one can be had (" + other.address() + ": ")
        .endsWith("Samples come from the origin until one is there");

    FakeNode again = home();
    await().until(() -> cache.attachedTo().equals(text(again)));
    readRight(samples);
    assertThat(again.records()).isNotEmpty();
    assertThat(warnings()).hasSize(1);
  }

  @Test
  void otherNodeDiesToo_isSaidOnceMore() throws Exception {
    FakeNode other = remote("other");
    FakeNode home = home(other);
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    home.close();
    while (!cache.attachedTo().equals(text(other))) {
      readRight(samples);
    }
    await().untilAsserted(() -> assertThat(warnings()).hasSize(1));

    other.close();
    await()
        .untilAsserted(
            () -> {
              readRight(samples);
              assertThat(warnings()).hasSize(2);
            });
    assertThat(warnings().get(1)).contains("Samples come from the origin until");
  }

  @Test
  void localNodeHangs_anotherTakesItsPlaceWithinTheAnswerTimeout() throws Exception {
    FakeNode other = remote("other");
    FakeNode home = home(other);
    TrainingCache cache = connect(config().answerTimeout(Duration.ofMillis(200)).build());
    CachedSamples samples = cache.open(spec());
    fill(other);
    home.hang();

    readRight(samples);
    await().atMost(Duration.ofSeconds(5)).until(() -> cache.attachedTo().equals(text(other)));
    int before = loader.loads();
    readWarm(samples);
    assertThat(loader.loads()).isEqualTo(before);
  }

  @Test
  void otherNodesRefuse_theirReasonIsSaid() throws Exception {
    LaneException denied = new LaneException(LaneException.Code.DENIED, "no token was shown");
    ScriptedServer refusing =
        ScriptedServer.startTcp(peer -> peer.send(Failure.of(denied), peer.next().id()));
    opened.add(refusing);
    String lane = refusing.address().text().substring("tcp://".length());
    FakeNode home = home();
    home.tellOf(new OwnersMessage.Member("other", "there", lane, 1, false));
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());

    home.close();
    await()
        .untilAsserted(
            () -> {
              readRight(samples);
              assertThat(warnings()).hasSize(1);
            });
    assertThat(warnings().get(0))
        .contains("No other one can be had (" + refusing.address() + ": no token was shown)");
  }

  @Test
  void ownership_isWhatTheNodeTells() throws Exception {
    FakeNode home = home();
    home.tellOf(
        new OwnersMessage.Member("a", "host-a", "", 5, true),
        new OwnersMessage.Member("b", "host-b", "10.0.0.2:9463", 7, false));
    CachedSamples samples = connect(config().build()).open(spec());

    Ownership ownership = samples.ownership();

    assertThat(ownership.topologyVersion()).isEqualTo(1);
    assertThat(ownership.partitions()).isEqualTo(2);
    assertThat(ownership.primary(0))
        .isEqualTo(new Ownership.Node("a", "host-a", Optional.empty(), 5, true));
    assertThat(ownership.primary(1).laneAddress()).contains("10.0.0.2:9463");
    assertThat(ownership.copies(1)).containsExactly(ownership.primary(1), ownership.primary(0));
    assertThat(ownership).isEqualTo(samples.ownership());
  }

  private void readWarm(CachedSamples samples) {
    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      assertThat(batch.hits()).isEqualTo(BATCH.length);
      loader.assertRight(batch);
    }
  }

  private void readRight(CachedSamples samples) {
    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
    }
  }

  private void fill(FakeNode node) {
    for (long index : BATCH) {
      node.put(index, loader.encoded(index));
    }
  }

  private FakeNode home(FakeNode... others) throws IOException {
    FakeNode node = FakeNode.start(directory);
    opened.add(node);
    if (others.length > 0) {
      node.tellOf(others);
    }
    return node;
  }

  private FakeNode remote(String name) throws IOException {
    FakeNode node = FakeNode.startTcp(Files.createDirectory(directory.resolve(name)), 0);
    opened.add(node);
    return node;
  }

  private TrainingCache connect(TrainingCache.Config config) {
    TrainingCache cache = TrainingCache.connect(config);
    opened.add(cache);
    return cache;
  }

  private TrainingCache.Config.Builder config() {
    return TrainingCache.Config.builder().address("unix:" + FakeNode.socket(directory));
  }

  private static Optional<String> text(FakeNode node) {
    return Optional.of(node.address().text());
  }

  private static DatasetSpec spec() {
    return DatasetSpec.builder("digits").pipeline("p1").sourceLength(1_000).build();
  }

  private List<String> warnings() {
    return log.list.stream()
        .filter(event -> event.getLevel().isGreaterOrEqual(Level.WARN))
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }

  private static void join(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
