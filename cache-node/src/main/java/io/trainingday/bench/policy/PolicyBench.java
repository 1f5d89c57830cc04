package io.trainingday.bench.policy;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.bench.policy.PolicyReport.Row;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Policy;
import io.trainingday.node.CacheNode;
import io.trainingday.record.RecordCodec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Lets every policy read every trace. Ours in a cache node in this process, through the client,
 * each run a data set of its own whose quota is its budget; Caffeine and a bare Ignite beside it.
 */
final class PolicyBench {
  static final String W_TINY_LFU = "w-tinylfu";
  static final String RANDOM_2_LRU = "random-2-lru";

  private static final long SEED = 42;
  private static final int SAMPLE_BYTES = 4_096;

  /** What a record has beside its sample: header, descriptor, alignment. */
  private static final int MOST_OVERHEAD_BYTES = 512;

  private static final double MEMORY_PER_BYTE = 1.5;
  private static final long FIXED_MEMORY_BYTES = 256L << 20;

  private final Plan plan;
  private final Consumer<String> progress;

  PolicyBench(Plan plan, Consumer<String> progress) {
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * What to read.
   *
   * @param shares of the samples that the budget holds
   * @param epochs of each run; the first is not counted
   * @param others whether to run Caffeine and Ignite, too
   */
  record Plan(List<Trace> traces, List<Double> shares, int samples, int epochs, boolean others) {}

  /** A row for each run. */
  List<Row> run() {
    List<Row> rows = new ArrayList<>();
    int recordBytes = recordBytes();
    try (TemporaryDirectory directory = TemporaryDirectory.create();
        CacheNode node = CacheNode.launch(settings(directory.path(), recordBytes));
        TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build())) {
      for (Trace trace : plan.traces()) {
        for (double share : plan.shares()) {
          progress.accept(String.format(Locale.ROOT, "%s, c = %.2f", trace.label(), share));
          int held = held(share);
          for (Policy policy : Policy.values()) {
            String dataset = dataset(trace, share, policy);
            rows.add(
                row(
                    trace,
                    share,
                    SettingKey.DATASET_POLICY.format(policy),
                    new NodeContender(cache, dataset, plan.samples(), SAMPLE_BYTES)));
          }
          if (plan.others()) {
            rows.add(row(trace, share, W_TINY_LFU, new TinyLfuContender(held)));
            rows.add(row(trace, share, RANDOM_2_LRU, new PageEvictionContender(held)));
          }
        }
      }
    }
    return rows;
  }

  private int held(double share) {
    return (int) Math.round(share * plan.samples());
  }

  private Row row(Trace trace, double share, String policy, Contender contender) {
    SplittableRandom random = new SplittableRandom(SEED);
    long hits = 0;
    long reads = 0;
    try (contender) {
      for (int epoch = 0; epoch < plan.epochs(); epoch++) {
        int[] order = trace.epoch(epoch, plan.samples(), random);
        long found = contender.read(order);
        if (epoch > 0) {
          hits += found;
          reads += order.length;
        }
      }
    }
    return new Row(trace.label(), share, policy, (double) hits / reads);
  }

  private static String dataset(Trace trace, double share, Policy policy) {
    return String.format(
        Locale.ROOT, "%s-%.2f-%s", trace.label(), share, policy.name().toLowerCase(Locale.ROOT));
  }

  /** What one record takes, which the quotas are counted in. */
  private static int recordBytes() {
    return RecordCodec.encodedLength(NodeContender.record(SAMPLE_BYTES));
  }

  private Settings settings(Path directory, int recordBytes) {
    double all = 0;
    for (double share : plan.shares()) {
      all += share;
    }
    long bytes =
        (long)
            (all
                * plan.traces().size()
                * Policy.values().length
                * plan.samples()
                * (SAMPLE_BYTES + MOST_OVERHEAD_BYTES)
                * MEMORY_PER_BYTE);
    Settings.Builder settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-policy")
            .set(SettingKey.GRID_PORT, FreePort.find())
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .set(SettingKey.GRID_PARTITIONS, 64)
            .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(1))
            // Little is on its way, or kept after it was refused: that would be hits, too.
            .set(SettingKey.FILL_MAX_IN_FLIGHT, DataSize.ofMiB(1))
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB((bytes + FIXED_MEMORY_BYTES) >> 20))
            .set(SettingKey.METRICS_ENABLED, false);
    for (Trace trace : plan.traces()) {
      for (double share : plan.shares()) {
        for (Policy policy : Policy.values()) {
          String name = dataset(trace, share, policy);
          settings
              .setDataset(name, SettingKey.DATASET_POLICY, policy)
              .setDataset(
                  name,
                  SettingKey.DATASET_QUOTA,
                  Portion.of(DataSize.ofBytes((long) held(share) * recordBytes)));
        }
      }
    }
    return settings.build();
  }
}
