package io.trainingday.bench.pressure;

import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Policy;
import io.trainingday.processes.GridProcesses;
import io.trainingday.processes.NodeProcess;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/** Drives a node in a process of its own, policy by policy, with many writers. */
final class PressureBench {
  private static final String DATASET = "pressure";
  private static final int BATCH = 4;
  private static final long SEED = 42;
  private static final String OUT_OF_MEMORY = "IgniteOutOfMemoryException";
  private static final double LN_2 = Math.log(2);

  private final Plan plan;
  private final Consumer<String> progress;
  private final LongAdder reads = new LongAdder();
  private final LongAdder readErrors = new LongAdder();
  private final LongAdder fills = new LongAdder();

  PressureBench(Plan plan, Consumer<String> progress) {
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * What to do.
   *
   * @param regionBytes of the node
   * @param oversubscription how many times of it the data set has
   * @param leastBytes of a sample; sizes are spread evenly over their logarithms
   * @param writers connections that read and load at once
   * @param limitBytes of all memory of the node's process
   */
  record Plan(
      int seconds,
      long regionBytes,
      int oversubscription,
      int leastBytes,
      int mostBytes,
      int writers,
      List<String> jvmOptions,
      DataSize slots,
      DataSize inFlight,
      long limitBytes) {
    /** How many samples there are. */
    int samples() {
      double mean = (mostBytes - leastBytes) / Math.log((double) mostBytes / leastBytes);
      return (int) (oversubscription * (double) regionBytes / mean);
    }

    /** Bytes of one sample, always the same. */
    int sampleBytes(long index) {
      double bits = Math.log((double) mostBytes / leastBytes) / LN_2;
      double at = new SplittableRandom(index).nextDouble();
      return (int) Math.min(mostBytes, leastBytes * Math.pow(2, at * bits));
    }
  }

  PressureReport run() throws InterruptedException, IOException {
    int deaths = 0;
    int outOfMemory = 0;
    long peak = 0;
    boolean enforced = true;
    List<PressureReport.Row> rows = new ArrayList<>();
    List<Policy> policies = List.of(Policy.PIN, Policy.LRU, Policy.RANDOM);
    for (Policy policy : policies) {
      String name = SettingKey.DATASET_POLICY.format(policy);
      progress.accept("policy=" + name + ", starting a node");
      long readsBefore = reads.sum();
      long fillsBefore = fills.sum();
      MemoryLimit limit = null;
      try (GridProcesses grid =
          GridProcesses.builder(settings(policy)).nodes(1).jvmOptions(plan.jvmOptions()).create()) {
        grid.start();
        NodeProcess node = grid.nodes().get(0);
        limit = MemoryLimit.of(node.process().pid(), plan.limitBytes());
        enforced &= limit.isEnforced();
        long quietest = drive(node, (long) plan.seconds() * 1_000 / policies.size());
        deaths += node.process().isAlive() ? 0 : 1;
        outOfMemory += outOfMemory(node);
        long here = limit.peakBytes();
        peak = Math.max(peak, here);
        rows.add(
            new PressureReport.Row(
                name, reads.sum() - readsBefore, fills.sum() - fillsBefore, here, quietest));
      } finally {
        if (limit != null) {
          limit.close(); // A group goes when its processes have.
        }
      }
    }
    return new PressureReport(
        plan.seconds(),
        deaths,
        outOfMemory,
        peak,
        plan.limitBytes(),
        reads.sum(),
        readErrors.sum(),
        enforced,
        plan.samples(),
        rows);
  }

  private static int outOfMemory(NodeProcess node) throws IOException {
    return (int)
        Files.readAllLines(node.process().log()).stream()
            .filter(line -> line.contains(OUT_OF_MEMORY))
            .count();
  }

  private Settings settings(Policy policy) {
    return Settings.builder()
        .set(SettingKey.GRID_NAME, "training-day-bench-pressure")
        .set(SettingKey.GRID_PARTITIONS, 128)
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofBytes(plan.regionBytes()))
        .set(SettingKey.MEMORY_META_MAX_SIZE, DataSize.ofMiB(32))
        .set(
            SettingKey.LANE_MAX_RECORD_SIZE,
            DataSize.ofBytes(Math.min(plan.regionBytes() / 8, plan.mostBytes() + (64L << 10))))
        .set(SettingKey.LANE_SLOTS_MAX_BYTES, plan.slots())
        .set(
            SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION,
            DataSize.ofBytes(plan.slots().bytes() / 2))
        .set(SettingKey.FILL_MAX_IN_FLIGHT, plan.inFlight())
        .setDataset(DATASET, SettingKey.DATASET_POLICY, policy)
        .build();
  }

  /** Reads on with all writers; the fewest reads of any whole second. */
  private long drive(NodeProcess node, long millis) throws InterruptedException {
    String address = "unix:" + node.endpoints().socket();
    List<Thread> threads = new ArrayList<>();
    long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    for (int i = 0; i < plan.writers(); i++) {
      long seed = SEED + i;
      Thread thread =
          new Thread(() -> readUntil(address, until, new SplittableRandom(seed)), "writer-" + i);
      thread.start();
      threads.add(thread);
    }
    long quietest = Long.MAX_VALUE;
    long before = reads.sum();
    while (until - System.nanoTime() > TimeUnit.SECONDS.toNanos(1)) {
      TimeUnit.SECONDS.sleep(1);
      long now = reads.sum();
      quietest = Math.min(quietest, now - before);
      before = now;
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return quietest == Long.MAX_VALUE ? reads.sum() - before : quietest;
  }

  private void readUntil(String address, long until, SplittableRandom random) {
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples =
            cache.open(
                DatasetSpec.builder(DATASET)
                    .pipeline("sizes")
                    .sourceLength(plan.samples())
                    .build())) {
      while (until - System.nanoTime() > 0) {
        long[] indices = random.longs(BATCH, 0, plan.samples()).distinct().toArray();
        try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS, this::load)) {
          check(batch, indices);
        } catch (CacheException | IllegalStateException failure) {
          readErrors.increment();
          progress.accept("a read failed: " + failure.getMessage());
        }
      }
    }
  }

  private void check(SampleBatch batch, long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      ByteBuffer data = batch.record(i).field("x").data();
      byte expected = (byte) indices[i];
      boolean right =
          data.remaining() == plan.sampleBytes(indices[i])
              && data.get(data.position()) == expected
              && data.get(data.limit() - 1) == expected;
      (right ? reads : readErrors).increment();
    }
  }

  private SampleRecord load(long index) {
    fills.increment();
    int bytes = plan.sampleBytes(index);
    ByteBuffer data = ByteBuffer.allocate(bytes);
    data.put(0, (byte) index);
    data.put(bytes - 1, (byte) index);
    return SampleRecord.builder().tensor("x", DType.U8, new long[] {bytes}, data).build();
  }
}
