package io.trainingday.cli;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How much memory the processes of a grid on one machine get: each node its samples' memory, a heap
 * that is the smaller the more nodes there are, and as much direct memory.
 */
final class GridSizing {
  private static final int FEW = 4;
  private static final int SOME = 8;
  private static final DataSize HEAP_OF_FEW = DataSize.ofMiB(512);
  private static final DataSize HEAP_OF_SOME = DataSize.ofMiB(384);
  private static final DataSize HEAP_OF_MANY = DataSize.ofMiB(256);

  /** A JVM's own memory, Ignite's smaller regions, socket buffers. */
  private static final DataSize REST_OF_NODE = DataSize.ofMiB(256);

  /** A demo job with PyTorch in it. */
  private static final DataSize JOB = DataSize.ofMiB(1_536);

  private static final DataSize STEP = DataSize.ofMiB(64);
  private static final int SHARE_OF_RECORD = 8;
  private static final int SHARE_OF_PARTITIONS = 8;
  private static final int MIN_PARTITIONS = 32;
  private static final int MAX_PARTITIONS = 256;

  /** First pages of a partition, in the cache of each number of backups. */
  private static final long PARTITION_BYTES = 3 * (32L << 10);

  private static final int SHARE_OF_FILLS = 4;

  private final int nodes;
  private final int jobs;
  private final Optional<DataSize> available;

  /**
   * @param available memory of the machine, empty where nobody says
   */
  GridSizing(int nodes, int jobs, Optional<DataSize> available) {
    this.nodes = nodes;
    this.jobs = jobs;
    this.available = available;
  }

  private DataSize heap() {
    return nodes <= FEW ? HEAP_OF_FEW : nodes <= SOME ? HEAP_OF_SOME : HEAP_OF_MANY;
  }

  /** Options of a node's JVM. */
  List<String> jvmOptions() {
    long mebibytes = heap().bytes() >> 20;
    // Collectors with threads of their own would only fight for the cores that all nodes share.
    return List.of(
        "-Xmx" + mebibytes + "m",
        "-XX:MaxDirectMemorySize=" + mebibytes + "m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError");
  }

  /**
   * The settings of a node, with memory that all of them together find on the machine.
   *
   * @param memory asked for, each node; null for what the settings say, or less where the machine
   *     has less
   * @throws IllegalArgumentException in words, if it has not enough
   */
  Settings fit(Settings settings, @Nullable DataSize memory) {
    // Nodes of one machine share it: none of them may take all that is left.
    DataSize set =
        settings.memory().isAuto()
            ? Settings.defaults().memory().maxSize()
            : settings.memory().maxSize();
    DataSize each = memory == null ? atMostWhatFits(set) : memory;
    checkFits(each);
    Settings.Builder fitting = settings.toBuilder().set(SettingKey.MEMORY_MAX_SIZE, each);
    lower(
        fitting,
        SettingKey.LANE_MAX_RECORD_SIZE,
        settings.lane().maxRecordSize(),
        each.bytes() / SHARE_OF_RECORD);
    lower(
        fitting,
        SettingKey.FILL_MAX_IN_FLIGHT,
        settings.fill().maxInFlight(),
        heap().bytes() / SHARE_OF_FILLS);
    if (Optional.of(settings.grid().partitions())
        .equals(SettingKey.GRID_PARTITIONS.defaultValue())) {
      fitting.set(SettingKey.GRID_PARTITIONS, partitions(each));
    }
    return fitting.build();
  }

  /** Enough for the most nodes, unless they would take more than an eighth of the memory. */
  private static int partitions(DataSize memory) {
    long fitting = Long.highestOneBit(memory.bytes() / SHARE_OF_PARTITIONS / PARTITION_BYTES);
    return (int) Math.max(MIN_PARTITIONS, Math.min(MAX_PARTITIONS, fitting));
  }

  /** Lowers a value nobody set; one that somebody set is checked with all the others. */
  private static void lower(
      Settings.Builder settings,
      SettingKey<Settings, DataSize> key,
      DataSize value,
      long mostBytes) {
    if (Optional.of(value).equals(key.defaultValue()) && value.bytes() > mostBytes) {
      settings.set(key, DataSize.ofBytes(mostBytes));
    }
  }

  private DataSize atMostWhatFits(DataSize memory) {
    return available
        .map(
            all -> {
              long share = (all.bytes() - jobs * JOB.bytes()) / nodes - othersOfNode();
              long steps = Math.max(1, share / STEP.bytes());
              return DataSize.ofBytes(Math.min(memory.bytes(), steps * STEP.bytes()));
            })
        .orElse(memory);
  }

  private void checkFits(DataSize memory) {
    long needed = nodes * (memory.bytes() + othersOfNode()) + jobs * JOB.bytes();
    available
        .filter(all -> all.bytes() < needed)
        .ifPresent(
            all -> {
              throw new IllegalArgumentException(
                  "--nodes=%d with --memory=%s and %s beside it each%s need %s > available=%s, take fewer nodes or less memory"
                      .formatted(
                          nodes,
                          memory,
                          inMebibytes(othersOfNode()),
                          jobs == 0 ? "" : " and --run=%d with %s each".formatted(jobs, JOB),
                          inMebibytes(needed),
                          inMebibytes(all.bytes())));
            });
  }

  private long othersOfNode() {
    return heap().bytes() + REST_OF_NODE.bytes();
  }

  private static DataSize inMebibytes(long bytes) {
    return DataSize.ofMiB(bytes >> 20);
  }
}
