package io.trainingday.bench.disk;

import io.trainingday.bench.measure.SideBySide;
import io.trainingday.bench.measure.SideBySideOptions;
import io.trainingday.bench.measure.WorkingSet;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench disk}: the disk tier beside the disk itself, Ignite and LMDB. */
@Command(
    name = "disk",
    description = "Keep samples on this host's disk and read them again, in every way there is.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class DiskBenchCommand implements Callable<Integer> {
  private static final int[] SAMPLE_BYTES = {16 << 10, 150_528};
  private static final int SMALL_SAMPLE_BYTES = 64 << 10;
  private static final List<Integer> BATCHES = List.of(1);
  private static final long WARM_UP_MILLIS = 700;
  private static final int MAX_FILLS = 100;
  private static final DataSize MIN_WORKING_SET = DataSize.ofMiB(16);
  private static final DataSize MAX_WORKING_SET = DataSize.ofMiB(1024);

  /** Four ways to read, Ignite's with its log, LMDB's map. */
  private static final int COPIES = 8;

  private static final long OTHER_BYTES = 1L << 30;

  @Mixin private SideBySideOptions options = new SideBySideOptions();
  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--fills",
      paramLabel = "N",
      defaultValue = "3",
      description = "how often each path is filled (default: ${DEFAULT-VALUE})")
  private int fills;

  @Option(
      names = "--directory",
      paramLabel = "PATH",
      defaultValue = "${sys:java.io.tmpdir}",
      description = "on the disk to measure; nothing is left in it (default: ${DEFAULT-VALUE})")
  private Path directory = Path.of("");

  @Option(
      names = "--working-set",
      paramLabel = "SIZE",
      defaultValue = "512MiB",
      description =
          "bytes of samples in each path, which the OS cache must have room for. A quarter of it"
              + " for samples below 64 KiB (default: ${DEFAULT-VALUE})")
  private String workingSet = "";

  /** Made by picocli. */
  public DiskBenchCommand() {}

  @Override
  public Integer call() throws IOException {
    command.check();
    options.check(command);
    command.checkRange("--fills", fills, 1, MAX_FILLS);
    WorkingSet set = WorkingSet.parse(command, workingSet, MIN_WORKING_SET, MAX_WORKING_SET);
    set.requireHeap();
    requireDisk(set.size());
    List<Workload> workloads = set.workloads(SAMPLE_BYTES, SMALL_SAMPLE_BYTES);
    List<Report.Skipped> skipped = new ArrayList<>();
    List<PathKind> kinds = options.paths(command, List.of(PathKind.values()), kind -> "", skipped);
    Shelves shelves = new Shelves(directory);
    List<Report.Row> rows = new ArrayList<>();
    for (Workload workload : workloads) {
      rows.addAll(new FillBench(shelves, fills, command::progress).run(kinds, workload));
    }
    if (kinds.stream().anyMatch(kind -> kind.verb() != PathKind.Does.FILLS)) {
      SideBySide.Plan plan =
          new SideBySide.Plan(
              workloads, BATCHES, options.rounds(), options.sliceMillis(), WARM_UP_MILLIS);
      rows.addAll(
          new SideBySide(
                  plan,
                  (workload, maxBatch) -> shelves.open(kinds, workload, maxBatch),
                  command::progress)
              .run());
    }
    List<String> order = kinds.stream().map(PathKind::toString).toList();
    Report result =
        new Report(
            Report.Machine.here(),
            new Report.Method(options.rounds(), options.sliceMillis(), WARM_UP_MILLIS, method()),
            kinds.stream().map(kind -> new Report.Path(kind.toString(), kind.does())).toList(),
            skipped,
            rows.stream()
                .sorted(
                    Comparator.comparingInt(Report.Row::sampleBytes)
                        .thenComparing(row -> order.indexOf(row.path())))
                .toList());
    command.finish(
        result.text(
            PathKind.MEMCPY.toString(),
            Stream.of(PathKind.DISK_FILL, PathKind.DISK_READ).map(PathKind::toString).toList()),
        result);
    return ExitCode.OK;
  }

  private String method() {
    return "What fills was filled %d times, in one order, the wait for the disk timed with it; reads are"
            .formatted(fills)
        + " from the OS cache.";
  }

  private void requireDisk(DataSize size) throws IOException {
    if (!Files.isDirectory(directory) || !Files.isWritable(directory)) {
      throw command.wrong(
          "--directory=%s is no directory that can be written to; give one".formatted(directory));
    }
    DataSize needed = DataSize.ofBytes(COPIES * size.bytes() + OTHER_BYTES);
    DataSize usable = DataSize.ofBytes(Files.getFileStore(directory).getUsableSpace());
    if (usable.compareTo(needed) < 0) {
      throw command.wrong(
          "--working-set=%s needs %s of disk > free=%s in --directory=%s; lower it, or give another"
                  .formatted(size, needed, usable, directory)
              + " directory");
    }
  }
}
