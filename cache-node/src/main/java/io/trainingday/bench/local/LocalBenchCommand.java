package io.trainingday.bench.local;

import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.SideBySide;
import io.trainingday.bench.measure.SideBySideOptions;
import io.trainingday.bench.measure.WorkingSet;
import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench local}: reading samples on one host, ours beside what others offer. */
@Command(
    name = "local",
    description = "Read samples on this host in every way there is, side by side.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class LocalBenchCommand implements Callable<Integer> {
  private static final int[] SAMPLE_BYTES = {4 << 10, 150_528, 602_112};
  private static final List<Integer> BATCHES = List.of(1, 64);
  private static final int SMALL_SAMPLE_BYTES = 16 << 10;
  private static final long WARM_UP_MILLIS = 700;
  private static final DataSize MIN_WORKING_SET = DataSize.ofMiB(64);
  private static final DataSize MAX_WORKING_SET = DataSize.ofMiB(1024);

  /** Samples are kept by memcpy, heap-map, lane, both of Ignite's, Redis. */
  private static final int COPIES = 6;

  private static final long OTHER_MEMORY_BYTES = 1L << 30;

  @Mixin private SideBySideOptions options = new SideBySideOptions();
  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--socket",
      paramLabel = "PATH",
      description =
          "read from the node that runs already behind this Unix socket, instead of one in this"
              + " process")
  private @Nullable Path socket;

  // 512 MiB is 16 times a cache of 32 MiB. Of small samples a quarter is as good: what they cost is
  // looking up and asking, not memory's bandwidth, and loading many of them takes long.
  @Option(
      names = "--working-set",
      paramLabel = "SIZE",
      defaultValue = "512MiB",
      description =
          "bytes of samples in each path; should exceed the CPU's caches several times. A quarter"
              + " of it for samples below 16 KiB (default: ${DEFAULT-VALUE})")
  private String workingSet = "";

  @Override
  public Integer call() throws IOException {
    command.check();
    options.check(command);
    WorkingSet set = WorkingSet.parse(command, workingSet, MIN_WORKING_SET, MAX_WORKING_SET);
    set.requireHeap();
    set.requireMemory(DataSize.ofBytes(COPIES * set.size().bytes() + OTHER_MEMORY_BYTES));
    List<Report.Skipped> skipped = new ArrayList<>();
    List<PathKind> kinds =
        options.paths(command, List.of(PathKind.values()), LocalBenchCommand::obstacle, skipped);
    SideBySide.Plan plan =
        new SideBySide.Plan(
            set.workloads(SAMPLE_BYTES, SMALL_SAMPLE_BYTES),
            BATCHES,
            options.rounds(),
            options.sliceMillis(),
            WARM_UP_MILLIS);
    List<Report.Row> rows =
        new SideBySide(
                plan,
                (workload, maxBatch) ->
                    LocalPaths.open(kinds, workload, maxBatch, Optional.ofNullable(socket)),
                command::progress)
            .run();
    Report result =
        new Report(
            Report.Machine.here(),
            new Report.Method(options.rounds(), options.sliceMillis(), WARM_UP_MILLIS, node()),
            kinds.stream().map(k -> new Report.Path(k.toString(), k.does())).toList(),
            skipped,
            rows);
    command.finish(
        result.text(PathKind.MEMCPY.toString(), List.of(PathKind.LANE_COLLATED.toString())),
        result);
    return CommandLine.ExitCode.OK;
  }

  private String node() {
    return socket == null
        ? "The lane's node ran in the bench's process."
        : "The lane's node ran in a process of its own.";
  }

  private static String obstacle(PathKind kind) {
    return kind == PathKind.REDIS_MGET && !RedisPath.isPossible()
        ? "no redis-server on the PATH"
        : "";
  }
}
