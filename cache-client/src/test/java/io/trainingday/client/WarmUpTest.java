package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.WarmProgress.State;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WarmUpTest {
  private static final int LENGTH = 100;
  private static final Duration LONG = Duration.ofSeconds(20);

  private final Path directory;
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final List<Long> loads = new CopyOnWriteArrayList<>();
  private final Samples source = Samples.equal();

  WarmUpTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @AfterEach
  void closeAll() throws Exception {
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  @Test
  void warm_loadsEverySampleOnce_andReadsFindThem() throws Exception {
    node();
    TrainingCache cache = connect(4);
    CachedSamples samples = cache.open(spec());

    WarmProgress end = end(samples.warm(this::load));

    assertThat(end.state()).isEqualTo(State.COMPLETE);
    assertThat(end.loaded()).isEqualTo(LENGTH);
    assertThat(end.done()).isEqualTo(LENGTH);
    assertThat(end.total()).isEqualTo(LENGTH);
    assertThat(end.bytes()).isEqualTo((long) LENGTH * source.encoded(0).length);
    assertThat(loads).hasSize(LENGTH).doesNotHaveDuplicates();
    try (SampleBatch batch =
        samples.read(LongStream.range(0, LENGTH).toArray(), ReadShape.COLLATED, this::load)) {
      source.assertRight(batch);
      assertThat(batch.hits()).isEqualTo(LENGTH);
    }
    assertThat(samples.stats().misses()).as("of the reader alone").isZero();
    assertThat(cache.wantedSlots()).as("the slot it had is given back").hasValue(4);
  }

  @Test
  void order_isLoadedFirst_thenTheOthersAscending() throws Exception {
    node();
    WarmUp.Options options = WarmUp.Options.builder().order(9, 3, 99, 3, 0).build();

    end(connect(1).warm(spec(), this::load, options));

    assertThat(loads).startsWith(9L, 3L, 99L, 0L, 1L, 2L, 4L).hasSize(LENGTH);
    assertThat(loads.subList(4, LENGTH)).isSorted();
  }

  @Test
  void stopped_goesOnWhereItWas() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(2);
    CountDownLatch some = new CountDownLatch(30);
    CountDownLatch stopped = new CountDownLatch(1);
    WarmUp first =
        cache.warm(
            spec(),
            index -> {
              some.countDown();
              if (some.getCount() == 0) {
                stopped.await();
              }
              return load(index);
            },
            WarmUp.Options.builder().build());
    some.await();
    first.stop();
    stopped.countDown();
    WarmProgress end = end(first);
    assertThat(end.state()).isEqualTo(State.STOPPED);
    assertThat(end.loaded()).isEqualTo(loads.size()).isBetween(29L, 60L);
    assertThat(end.total()).isEqualTo(LENGTH);
    assertThat(node.leasedIndices()).isEmpty();

    WarmProgress second = end(cache.warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(second.state()).isEqualTo(State.COMPLETE);
    assertThat(second.hits()).isEqualTo(end.loaded());
    assertThat(loads).hasSize(LENGTH).doesNotHaveDuplicates();
  }

  @Test
  void whatIsThere_isLookedAtWithoutLeases_manyAtATime() throws Exception {
    FakeNode node = node();
    LongStream.range(0, LENGTH).forEach(index -> node.put(index, source.encoded(index)));

    WarmProgress end = end(connect(1).warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(end.hits()).isEqualTo(LENGTH);
    assertThat(loads).isEmpty();
    List<Read> reads = node.received(Read.class);
    assertThat(reads).hasSizeLessThan(8);
    assertThat(reads.stream().filter(Read::lease)).hasSize(1);
  }

  @Test
  void leases_areFewAtATime() throws Exception {
    FakeNode node = node();
    AtomicInteger most = new AtomicInteger();

    end(
        connect(1)
            .warm(
                spec(),
                index -> {
                  most.accumulateAndGet(node.leasedIndices().size(), Math::max);
                  return load(index);
                },
                WarmUp.Options.builder().build()));

    assertThat(most.get()).isBetween(1, 16);
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void samplesThatOthersLoad_areWaitedForAndNotLoaded() throws Exception {
    FakeNode node = node();
    node.leaseToOther(3);
    WarmUp warmUp = connect(2).warm(spec(), this::load, WarmUp.Options.builder().build());
    await().until(() -> loads.contains(4L) || loads.contains(2L));
    node.put(3, source.encoded(3));

    WarmProgress end = end(warmUp);

    assertThat(end.state()).isEqualTo(State.COMPLETE);
    assertThat(end.hits()).isEqualTo(1);
    assertThat(loads).hasSize(LENGTH - 1).doesNotContain(3L);
  }

  @Test
  void sampleThatFails_isCountedAndRemembered_theOthersAreLoaded() throws Exception {
    FakeNode node = node();
    SampleLoader failing =
        index -> {
          if (index % 10 == 5) {
            throw new IOException("sample " + index + " is on fire");
          }
          return load(index);
        };

    WarmProgress end = end(connect(2).warm(spec(), failing, WarmUp.Options.builder().build()));

    assertThat(end.state()).isEqualTo(State.COMPLETE);
    assertThat(end.failed()).isEqualTo(10);
    assertThat(end.loaded()).isEqualTo(90);
    assertThat(end.done()).isEqualTo(LENGTH);
    assertThat(end.firstError().orElseThrow()).hasMessage("sample 5 is on fire");
    assertThat(node.leasedIndices()).isEmpty();
    assertThat(loads).hasSize(90).doesNotHaveDuplicates();
  }

  @Test
  void loaderThatKeepsFailing_endsIt() throws Exception {
    node();
    WarmUp.Options options = WarmUp.Options.builder().maxFailures(7).build();

    WarmProgress end =
        end(
            connect(1)
                .warm(
                    spec(),
                    index -> {
                      throw new IOException("no disk");
                    },
                    options));

    assertThat(end.state()).isEqualTo(State.FAILED);
    assertThat(end.failed()).isEqualTo(7);
    assertThat(end.reason())
        .isEqualTo("7 samples in a row failed, the first one with: java.io.IOException: no disk");
  }

  @Test
  void cacheWithoutRoom_endsIt_withAnHonestCount() throws Exception {
    FakeNode node = node();
    AtomicInteger taken = new AtomicInteger();
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Fill && taken.incrementAndGet() > 20) {
            peer.send(new FillReply(FillResult.DROPPED, "budget"), request.id());
            return true;
          }
          return false;
        });

    WarmProgress end = end(connect(1).warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(end.state()).isEqualTo(State.FULL);
    assertThat(end.loaded()).isEqualTo(20).isEqualTo(node.records().size());
    assertThat(end.refused()).isEqualTo(64);
    assertThat(end.reason()).isEqualTo("the cache is full: it had no room for 64 samples in a row");
    assertThat(loads).hasSize((int) end.done());
  }

  @Test
  void someSamplesWithoutRoom_areToldAtTheEnd() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Fill fill && fill.index() % 50 == 7) {
            String why = fill.index() == 7 ? "budget" : "too-large";
            peer.send(new FillReply(FillResult.DROPPED, why), request.id());
            return true;
          }
          return false;
        });

    WarmProgress end = end(connect(3).warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(end.state()).isEqualTo(State.FULL);
    assertThat(end.loaded()).isEqualTo(98);
    assertThat(end.refused()).isEqualTo(2);
    assertThat(end.reason()).isEqualTo("the cache is full: it had no room for 1");
  }

  @Test
  void busyNode_getsItsTime_andWhatChangedMeanwhileIsLoadedAgain() throws Exception {
    FakeNode node = node();
    AtomicInteger fills = new AtomicInteger();
    node.twist(
        (peer, request) -> {
          if (!(request.message() instanceof Fill fill)) {
            return false;
          }
          int n = fills.incrementAndGet();
          if (n % 10 == 0) {
            peer.send(new FillReply(FillResult.BUSY, "busy"), request.id());
          } else if (n == 3) {
            node.endLease(fill.index());
            peer.send(new FillReply(FillResult.DROPPED, "stale"), request.id());
          } else {
            return false;
          }
          return true;
        });

    WarmProgress end = end(connect(2).warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(end.state()).isEqualTo(State.COMPLETE);
    assertThat(node.records()).hasSize(LENGTH);
    assertThat(end.loaded()).isEqualTo(LENGTH);
    assertThat(loads).hasSize(LENGTH + 1);
  }

  @Test
  void onlyTheHostsOwnSamples_unlessToldOtherwise() throws Exception {
    FakeNode node = node();
    node.tellOf(
        new OwnersMessage.Member("a", "here", "", 1, true),
        new OwnersMessage.Member("b", "there", "", 1, false));
    TrainingCache cache = connect(2);

    WarmProgress own = end(cache.warm(spec(), this::load, WarmUp.Options.builder().build()));
    assertThat(own.total()).isEqualTo(LENGTH / 2);
    assertThat(loads).hasSize(LENGTH / 2).allMatch(index -> index % 2 == 0);

    WarmProgress all =
        end(cache.warm(spec(), this::load, WarmUp.Options.builder().allSamples(true).build()));
    assertThat(all.hits()).isEqualTo(LENGTH / 2);
    assertThat(loads).hasSize(LENGTH).doesNotHaveDuplicates();
  }

  @Test
  void withoutANode_itWaits_andLoadsNothing() throws Exception {
    WarmUp warmUp = connect(2).warm(spec(), this::load, WarmUp.Options.builder().build());
    await().until(() -> warmUp.state() == State.AWAY);
    assertThat(warmUp.progress().total()).isEqualTo(-1);
    assertThat(loads).isEmpty();

    node();

    assertThat(end(warmUp).state()).isEqualTo(State.COMPLETE);
    assertThat(loads).hasSize(LENGTH);
  }

  @Test
  void nodeThatDoesNotCome_endsIt() throws Exception {
    WarmUp.Options options = WarmUp.Options.builder().nodeWait(Duration.ZERO).build();

    WarmProgress end = end(connect(2).warm(spec(), this::load, options));

    assertThat(end.state()).isEqualTo(State.FAILED);
    assertThat(end.reason()).isEqualTo("no cache node was there for 0 s");
    assertThat(end.firstError().orElseThrow()).isInstanceOf(CacheException.class);
  }

  @Test
  void nodeThatGoesMeanwhile_isWaitedFor_andNothingIsLoadedForNobody() throws Exception {
    FakeNode node = node();
    CountDownLatch gone = new CountDownLatch(1);
    TrainingCache cache = connect(1);
    WarmUp warmUp =
        cache.warm(
            spec(),
            index -> {
              if (index == 40) {
                gone.await();
              }
              return load(index);
            },
            WarmUp.Options.builder().build());
    await().until(() -> loads.contains(39L));
    node.dropConnections();
    await().until(() -> !cache.isAttached());
    gone.countDown();

    assertThat(end(warmUp).state()).isEqualTo(State.COMPLETE);
    assertThat(node.records()).hasSize(LENGTH);
    assertThat(loads.size()).as("index 40 was under way").isBetween(LENGTH, LENGTH + 1);
  }

  @Test
  void paused_loadsNothing_untilResumed() throws Exception {
    node();
    CountDownLatch first = new CountDownLatch(1);
    CountDownLatch paused = new CountDownLatch(1);
    WarmUp warmUp =
        connect(1)
            .warm(
                spec(),
                index -> {
                  first.countDown();
                  paused.await();
                  return load(index);
                },
                WarmUp.Options.builder().build());
    first.await();
    warmUp.pause();
    paused.countDown();
    await().until(() -> warmUp.state() == State.PAUSED);
    int before = loads.size();
    assertThat(before).isLessThanOrEqualTo(16);
    assertThat(warmUp.await(Duration.ofMillis(1))).isFalse();
    assertThat(loads).hasSize(before);

    warmUp.resume();

    assertThat(end(warmUp).loaded()).isEqualTo(LENGTH);
  }

  @Test
  void closingTheCache_endsIt() throws Exception {
    node();
    CountDownLatch first = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    TrainingCache cache = connect(1);
    WarmUp warmUp =
        cache.warm(
            spec(),
            index -> {
              first.countDown();
              closed.await();
              return load(index);
            },
            WarmUp.Options.builder().build());
    first.await();
    cache.close();
    closed.countDown();

    assertThat(end(warmUp).state()).isEqualTo(State.STOPPED);
    assertThat(loads.size()).isLessThanOrEqualTo(16);
  }

  @Test
  void orderThatIsWrong_endsItWithItsError() throws Exception {
    node();
    WarmUp.Options options = WarmUp.Options.builder().order(1, LENGTH).build();

    WarmProgress end = end(connect(1).warm(spec(), this::load, options));

    assertThat(end.state()).isEqualTo(State.FAILED);
    assertThat(end.reason()).isEqualTo("order has index=100, allowed: 0–99");
  }

  @Test
  void options_thatMeanNothing_areRefused() {
    assertThatThrownBy(() -> WarmUp.Options.builder().samplesPerSecond(0))
        .hasMessage("samplesPerSecond=0.0, allowed: over 0");
    assertThatThrownBy(() -> WarmUp.Options.builder().maxFailures(0))
        .hasMessage("maxFailures=0, allowed: 1 or more");
    assertThatThrownBy(() -> WarmUp.Options.builder().allSamples(true).allSamples(true))
        .hasMessage("allSamples is set twice");
  }

  @Test
  void progress_isOneLineForPeople() throws Exception {
    FakeNode node = node();
    node.put(0, source.encoded(0));

    WarmProgress end = end(connect(1).warm(spec(), this::load, WarmUp.Options.builder().build()));

    assertThat(end.toString())
        .matches("complete: 100 of 100 samples, 1 there already, 99 loaded \\(0\\.0 MB\\)");
  }

  private SampleRecord load(long index) {
    loads.add(index);
    return source.record(index);
  }

  private static WarmProgress end(WarmUp warmUp) throws InterruptedException {
    assertThat(warmUp.await(LONG)).as("%s", warmUp.progress()).isTrue();
    return warmUp.progress();
  }

  private FakeNode node() throws IOException {
    FakeNode node = FakeNode.start(directory);
    opened.add(node);
    return node;
  }

  private TrainingCache connect(int threads) {
    TrainingCache cache =
        TrainingCache.connect(
            TrainingCache.Config.builder()
                .address("unix:" + FakeNode.socket(directory))
                .loaderThreads(threads)
                .build());
    opened.add(cache);
    return cache;
  }

  private static DatasetSpec spec() {
    return DatasetSpec.builder("digits").pipeline("p1").sourceLength(LENGTH).build();
  }
}
