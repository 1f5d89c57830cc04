package io.trainingday.bench.peer;

import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.SideBySide;
import io.trainingday.bench.measure.SideBySideOptions;
import io.trainingday.bench.measure.WorkingSet;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code training-day bench peer}: reading what another node holds, ours beside what others offer.
 */
@Command(
    name = "peer",
    description =
        "Read samples that another process holds, over loopback, in every way there is, side by"
            + " side.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PeerBenchCommand implements Callable<Integer> {
  private static final int[] SAMPLE_BYTES = {4 << 10, 16 << 10, 150_528};
  private static final List<Integer> BATCHES = List.of(64);
  private static final int SMALL_SAMPLE_BYTES = 16 << 10;

  /** Both sides compile what they do most; a batch takes milliseconds. */
  private static final long WARM_UP_MILLIS = 2_000;

  private static final DataSize MIN_WORKING_SET = DataSize.ofMiB(16);
  private static final DataSize MAX_WORKING_SET = DataSize.ofMiB(512);

  /** Hazelcast keeps its samples on the heap. */
  private static final List<String> JVM_OPTIONS =
      List.of("-Xms2g", "-Xmx2g", "-XX:MaxDirectMemorySize=2g", "-XX:+UseParallelGC");

  private static final int COPIES = 5;
  private static final DataSize OTHER_MEMORY = DataSize.ofGiB(5);

  @Mixin private SideBySideOptions options = new SideBySideOptions();
  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--working-set",
      paramLabel = "SIZE",
      defaultValue = "256MiB",
      description =
          "bytes of samples in each path; should exceed the CPU's caches several times. A quarter"
              + " of it for samples below 16 KiB (default: ${DEFAULT-VALUE})")
  private String workingSet = "";

  /** Made by picocli. */
  public PeerBenchCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    command.check();
    options.check(command);
    List<Workload> workloads = workloads();
    List<Report.Skipped> skipped = new ArrayList<>();
    List<PeerPath> kinds =
        options.paths(command, List.of(PeerPath.values()), PeerBenchCommand::obstacle, skipped);
    SideBySide.Plan plan =
        new SideBySide.Plan(
            workloads, BATCHES, options.rounds(), options.sliceMillis(), WARM_UP_MILLIS);
    command.progress("starting the other process and what reads from it");
    List<Report.Row> rows;
    try (PeerServers servers = PeerServers.start(kinds, memory(workloads), JVM_OPTIONS)) {
      rows =
          new SideBySide(
                  plan,
                  (workload, maxBatch) -> servers.open(kinds, workload, maxBatch),
                  command::progress)
              .run();
    }
    Report result =
        new Report(
            Report.Machine.here(),
            new Report.Method(
                options.rounds(),
                options.sliceMillis(),
                WARM_UP_MILLIS,
                "All samples are in another process, Redis' in its own; the trainer's own node runs"
                    + " in the bench's process."),
            kinds.stream().map(k -> new Report.Path(k.toString(), k.does())).toList(),
            skipped,
            rows);
    command.finish(
        result.text(
            PeerPath.RAW_TCP.toString(),
            List.of(PeerPath.LANE_TCP.toString(), PeerPath.LANE_TLS.toString())),
        result);
    return ExitCode.OK;
  }

  private static String obstacle(PeerPath kind) {
    return kind == PeerPath.REDIS_MGET && !RedisPath.isPossible()
        ? "no redis-server on the PATH"
        : "";
  }

  /** All workloads, 30 % for pages that are not full, the index and headroom, and 256 MiB. */
  private static DataSize memory(List<Workload> workloads) {
    long samples = workloads.stream().mapToLong(Workload::bytes).sum();
    return DataSize.ofMiB((long) (samples * 1.3) / (1 << 20) + 256);
  }

  private List<Workload> workloads() {
    WorkingSet set = WorkingSet.parse(command, workingSet, MIN_WORKING_SET, MAX_WORKING_SET);
    List<Workload> workloads = set.workloads(SAMPLE_BYTES, SMALL_SAMPLE_BYTES);
    long samples = workloads.stream().mapToLong(Workload::bytes).sum();
    set.requireMemory(DataSize.ofMiB((COPIES * samples + OTHER_MEMORY.bytes()) >> 20));
    return workloads;
  }
}
