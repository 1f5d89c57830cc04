package io.trainingday.bench.publish;

import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.processes.GridProcesses;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench publish}: publishing on a grid, with or without a disk tier. */
@Command(
    name = "publish",
    description =
        "Publish changed samples of a small and of a large data set on a grid on this machine.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PublishBenchCommand implements Callable<Integer> {
  private static final int MAX_NODES = 8;
  private static final List<Integer> ENTRIES = List.of(1_000, 1_000_000);
  private static final int CHANGED = 16;
  private static final int WARM_UPS = 20;
  private static final int MAX_REPEATS = 10_000;

  /** A third of a million entries of some 400 bytes, and as much again. */
  private static final DataSize MEMORY = DataSize.ofMiB(384);

  private static final List<String> JVM_OPTIONS =
      List.of("-Xmx768m", "-XX:MaxDirectMemorySize=512m", "-XX:+UseSerialGC");

  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--repeats",
      paramLabel = "N",
      defaultValue = "100",
      description = "how often each data set is published (default: ${DEFAULT-VALUE})")
  private int repeats;

  @Option(
      names = "--nodes",
      paramLabel = "N",
      defaultValue = "3",
      description = "how many nodes the grid has (default: ${DEFAULT-VALUE})")
  private int nodes;

  @Option(
      names = "--disk",
      paramLabel = "DIRECTORY",
      description =
          "give each node a disk tier in a new directory below this one (default: no disk tiers)")
  private @Nullable Path disk;

  /** Made by picocli. */
  public PublishBenchCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    command.check();
    command.checkRange("--repeats", repeats, 1, MAX_REPEATS);
    command.checkRange("--nodes", nodes, 1, MAX_NODES);
    PublishBench.Plan plan = new PublishBench.Plan(ENTRIES, CHANGED, WARM_UPS, repeats);
    PublishReport report = run(plan);
    command.finish(report.text(), report);
    return ExitCode.OK;
  }

  private PublishReport run(PublishBench.Plan plan) throws IOException, InterruptedException {
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-publish")
            .set(SettingKey.MEMORY_MAX_SIZE, MEMORY)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
            .build();
    command.progress("starting %d nodes".formatted(nodes));
    try (DiskTiers disks = DiskTiers.below(disk);
        GridProcesses grid =
            GridProcesses.builder(settings)
                .nodes(nodes)
                .jvmOptions(JVM_OPTIONS)
                .eachNode(disks::set)
                .create()) {
      grid.start();
      String address = "unix:" + grid.nodes().get(0).endpoints().socket();
      return new PublishReport(
          Report.Machine.here(),
          nodes,
          disk != null,
          plan.changed(),
          new PublishBench(address, plan, command::progress).run());
    }
  }
}
