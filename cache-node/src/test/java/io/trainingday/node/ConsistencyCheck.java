package io.trainingday.node;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.processes.NodeProcess;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Trainers on every host of a grid and one publisher, and whether what is read is right.
 *
 * <p>A counter stands for the time. A sample's content is its index and the count at which its load
 * began. A change draws a count, then is published; once the publish has returned, no read that
 * starts afterwards may give content that was loaded before that count.
 */
final class ConsistencyCheck implements AutoCloseable {
  static final String NAME = "consistency";

  /** No read may take longer: an answer missed, a lease waited for, and some patience. */
  static final Duration LONGEST_READ = Duration.ofSeconds(15);

  private static final int SAMPLES = 2_000;
  private static final int BATCH = 64;
  private static final int PADDING = 30;
  private static final int READERS_A_HOST = 2;
  private static final Duration LEASE_WAIT = Duration.ofSeconds(5);
  private static final Duration LIMIT = Duration.ofSeconds(90);
  private static final int MAX_PROBLEMS = 20;
  private static final long LOAD_NANOS = 100_000;

  private final LocalGrid grid;
  private final boolean broken;
  private final List<TrainingCache> caches = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final Queue<String> problems = new ConcurrentLinkedQueue<>();
  private final AtomicLong clock = new AtomicLong();
  private final AtomicLongArray changedAt = new AtomicLongArray(SAMPLES);
  private final LongAdder reads = new LongAdder();
  private final LongAdder hits = new LongAdder();
  private final AtomicInteger publishes = new AtomicInteger();
  private final AtomicLong longestReadNanos = new AtomicLong();
  private volatile boolean finished;
  private volatile @Nullable CacheException lastRefusal;

  /** What was found. */
  record Result(
      long reads, long hits, int publishes, long longestReadMillis, List<String> problems) {}

  ConsistencyCheck(LocalGrid grid) {
    this(grid, false);
  }

  /**
   * @param broken publishes nothing and takes it for published, as a fence would that lets a
   *     publish return before the nodes have heard of it
   */
  ConsistencyCheck(LocalGrid grid, boolean broken) {
    this.grid = grid;
    this.broken = broken;
    for (NodeProcess node : grid.nodes()) {
      TrainingCache cache =
          TrainingCache.connect(
              TrainingCache.Config.builder()
                  .address("unix:" + node.endpoints().socket())
                  .leaseWait(LEASE_WAIT)
                  .build());
      caches.add(cache);
      CachedSamples samples =
          cache.open(DatasetSpec.builder(NAME).pipeline("count").sourceLength(SAMPLES).build());
      for (int i = 0; i < READERS_A_HOST; i++) {
        int seed = threads.size();
        threads.add(new Thread(() -> read(samples, new Random(seed)), "reader-" + seed));
      }
    }
    threads.add(new Thread(this::publishOn, "publisher"));
    threads.forEach(Thread::start);
  }

  private void read(CachedSamples samples, Random random) {
    while (!finished) {
      long[] indices = random.longs(BATCH, 0, SAMPLES).toArray();
      long[] least = new long[BATCH];
      for (int i = 0; i < BATCH; i++) {
        least[i] = changedAt.get((int) indices[i]);
      }
      long start = System.nanoTime();
      try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, this::load)) {
        check(indices, least, batch);
      } catch (RuntimeException e) {
        problem("a trainer got " + e);
      }
      long nanos = System.nanoTime() - start;
      longestReadNanos.accumulateAndGet(nanos, Math::max);
    }
  }

  private SampleRecord load(long index) {
    ByteBuffer content =
        ByteBuffer.allocate((2 + PADDING) * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    content.putLong(0, index).putLong(Long.BYTES, clock.get());
    // Else most reads would be of an origin that is faster than any cache.
    LockSupport.parkNanos(LOAD_NANOS);
    return SampleRecord.builder().tensor("x", DType.I64, new long[] {2 + PADDING}, content).build();
  }

  private void check(long[] indices, long[] least, SampleBatch batch) {
    for (int i = 0; i < indices.length; i++) {
      ByteBuffer content = batch.field("x").data(i).order(ByteOrder.LITTLE_ENDIAN);
      long index = content.getLong(content.position());
      long loadedAt = content.getLong(content.position() + Long.BYTES);
      if (index != indices[i]) {
        problem("sample %d has the content of %d".formatted(indices[i], index));
      } else if (loadedAt < least[i]) {
        problem(
            "sample %d, loaded at %d, was read after its change at %d was published (%s)"
                .formatted(index, loadedAt, least[i], batch.status(i)));
      }
      if (batch.status(i) == SampleBatch.Status.HIT) {
        hits.increment();
      }
    }
    reads.add(indices.length);
  }

  private void publishOn() {
    Random random = new Random(42);
    while (!finished) {
      long[] changed = random.longs(1 + random.nextInt(40), 0, SAMPLES).distinct().toArray();
      boolean all = random.nextInt(20) == 0;
      boolean wrong = random.nextInt(3) == 0;
      long now = clock.incrementAndGet();
      if (!broken
          && !tell(
              admin ->
                  all
                      ? admin.publish(NAME)
                      : wrong
                          ? admin.invalidate(NAME, changed)
                          : admin.publishChanged(NAME, changed))) {
        continue;
      }
      for (int i = 0; i < (all ? SAMPLES : changed.length); i++) {
        changedAt.set(all ? i : (int) changed[i], now);
      }
      publishes.incrementAndGet();
    }
  }

  private interface Change {
    long by(CacheAdmin admin);
  }

  /** Publishes through any node that lives; false if none did it, and nothing may be expected. */
  private boolean tell(Change change) {
    return grid.living().stream().anyMatch(node -> tell(node, change));
  }

  private boolean tell(NodeProcess node, Change change) {
    TrainingCache.Config config =
        TrainingCache.Config.builder().address("unix:" + node.endpoints().socket()).build();
    try (CacheAdmin admin = CacheAdmin.connect(config)) {
      change.by(admin);
      return true;
    } catch (CacheException refused) {
      // A node that dies, or has no majority, publishes nothing; another one may.
      lastRefusal = refused;
      return false;
    }
  }

  private void problem(String what) {
    if (problems.size() < MAX_PROBLEMS) {
      problems.add(what);
    }
  }

  /** Waits until something is wrong. */
  void awaitProblem() throws InterruptedException {
    grid.awaitThat(
        "a problem is found", LIMIT, () -> problems.isEmpty() ? "in " + reads + " reads" : "");
  }

  /** Waits for so many reads more. */
  void awaitReads(long more) throws InterruptedException {
    long until = reads.sum() + more;
    grid.awaitThat(
        more + " reads",
        LIMIT,
        () -> reads.sum() >= until || !problems.isEmpty() ? "" : reads.sum() + " of " + until);
  }

  /** Waits for so many publishes more. */
  void awaitPublishes(int more) throws InterruptedException {
    int until = publishes.get() + more;
    grid.awaitThat(
        more + " publishes",
        LIMIT,
        () ->
            publishes.get() >= until || !problems.isEmpty()
                ? ""
                : "%s of %d, last refused by: %s".formatted(publishes, until, lastRefusal));
  }

  /** Ends all trainers and tells. */
  Result finish() throws InterruptedException {
    finished = true;
    for (Thread thread : threads) {
      thread.join(LIMIT.toMillis());
      if (thread.isAlive()) {
        problem(thread.getName() + " hangs");
      }
    }
    return new Result(
        reads.sum(),
        hits.sum(),
        publishes.get(),
        TimeUnit.NANOSECONDS.toMillis(longestReadNanos.get()),
        List.copyOf(problems));
  }

  @Override
  public void close() {
    finished = true;
    caches.forEach(TrainingCache::close);
  }
}
