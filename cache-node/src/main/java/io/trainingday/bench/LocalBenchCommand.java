package io.trainingday.bench;

import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.config.DataSize;
import io.trainingday.processes.HostMemory;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code training-day bench local}: reading samples on one host, ours beside what others offer. */
@Command(
    name = "local",
    description = "Read samples on this host in every way there is, side by side.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class LocalBenchCommand implements Callable<Integer> {
  private static final int[] SAMPLE_BYTES = {4 << 10, 150_528, 602_112};
  private static final List<Integer> BATCHES = List.of(1, 64);
  private static final int SMALL_SAMPLE_BYTES = 16 << 10;
  private static final long WARM_UP_MILLIS = 700;
  private static final DataSize MIN_WORKING_SET = DataSize.ofMiB(64);
  private static final DataSize MAX_WORKING_SET = DataSize.ofMiB(1024);

  private static final int COPIES = 6;
  private static final long OTHER_MEMORY_BYTES = 1L << 30;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write the numbers as JSON to this file")
  private @Nullable Path report;

  @Option(
      names = "--socket",
      paramLabel = "PATH",
      description =
          "read from the node that runs already behind this Unix socket, instead of one in this"
              + " process")
  private @Nullable Path socket;

  @Option(
      names = "--paths",
      paramLabel = "PATH,...",
      split = ",",
      description = "measure these only (default: all)")
  private String @Nullable [] paths;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "7",
      description = "how often each path takes its turn (default: ${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--slice",
      paramLabel = "MILLIS",
      defaultValue = "250",
      description = "how long a turn takes (default: ${DEFAULT-VALUE})")
  private long sliceMillis;

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
    check("--rounds", rounds, 1, 100);
    check("--slice", sliceMillis, 10, 10_000);
    long workingSetBytes = workingSetBytes();
    List<Report.Skipped> skipped = new ArrayList<>();
    LocalBench.Plan plan =
        new LocalBench.Plan(
            kinds(skipped),
            workloads(workingSetBytes),
            BATCHES,
            rounds,
            sliceMillis,
            WARM_UP_MILLIS,
            Optional.ofNullable(socket));
    if (report != null) {
      checkWritable(report);
    }
    PrintWriter err = commandLine().getErr();
    List<Row> rows =
        new LocalBench(
                plan,
                line -> {
                  err.println(line);
                  err.flush();
                })
            .run();
    Report result =
        new Report(
            Report.Machine.here(),
            new Report.Method(rounds, sliceMillis, WARM_UP_MILLIS, node()),
            plan.kinds().stream().map(k -> new Report.Path(k.toString(), k.does())).toList(),
            skipped,
            rows);
    commandLine().getOut().print(Table.of(result));
    commandLine().getOut().flush();
    if (report != null) {
      new JsonMapper()
          .writer(SerializationFeature.INDENT_OUTPUT)
          .writeValue(report.toFile(), result);
    }
    return CommandLine.ExitCode.OK;
  }

  private String node() {
    return socket == null
        ? "The lane's node ran in the bench's process."
        : "The lane's node ran in a process of its own.";
  }

  private static List<Workload> workloads(long workingSetBytes) {
    return Arrays.stream(SAMPLE_BYTES)
        .mapToObj(
            bytes -> {
              long all = bytes < SMALL_SAMPLE_BYTES ? workingSetBytes / 4 : workingSetBytes;
              return new Workload(bytes, (int) (all / bytes));
            })
        .toList();
  }

  private List<PathKind> kinds(List<Report.Skipped> skipped) {
    List<PathKind> kinds = new ArrayList<>();
    if (paths == null) {
      kinds.addAll(Arrays.asList(PathKind.values()));
      if (RedisServer.executable().isEmpty()) {
        kinds.remove(PathKind.REDIS_MGET);
        skipped.add(
            new Report.Skipped(PathKind.REDIS_MGET.toString(), "no redis-server on the PATH"));
      }
      return kinds;
    }
    for (String path : paths) {
      PathKind kind =
          PathKind.of(path)
              .orElseThrow(
                  () ->
                      wrong(
                          "--paths=%s is none of %s"
                              .formatted(path, PathKind.list(Arrays.asList(PathKind.values())))));
      if (kind == PathKind.REDIS_MGET && RedisServer.executable().isEmpty()) {
        throw wrong("--paths=%s needs a redis-server on the PATH".formatted(path));
      }
      if (kinds.contains(kind)) {
        throw wrong("--paths=%s stands there twice".formatted(path));
      }
      kinds.add(kind);
    }
    return kinds;
  }

  private long workingSetBytes() {
    DataSize size;
    try {
      size = DataSize.parse(workingSet);
    } catch (IllegalArgumentException unreadable) {
      throw wrong("--working-set=%s: %s".formatted(workingSet, unreadable.getMessage()));
    }
    if (size.compareTo(MIN_WORKING_SET) < 0 || size.compareTo(MAX_WORKING_SET) > 0) {
      throw wrong(
          "--working-set=%s is outside %s..%s".formatted(size, MIN_WORKING_SET, MAX_WORKING_SET));
    }
    checkMemory(size);
    return size.bytes();
  }

  /** Samples are kept up to six times: by memcpy, heap-map, lane, both of Ignite's, Redis. */
  private void checkMemory(DataSize size) {
    DataSize heap = DataSize.ofBytes(Runtime.getRuntime().maxMemory());
    if (heap.bytes() / 2 < size.bytes()) {
      throw wrong(
          "--working-set=%s > half of the heap=%s, lower it or raise the heap with"
                  .formatted(size, heap)
              + " TRAINING_DAY_JAVA_OPTS=-Xmx…");
    }
    DataSize needed = DataSize.ofBytes(COPIES * size.bytes() + OTHER_MEMORY_BYTES);
    HostMemory.available()
        .filter(available -> available.compareTo(needed) < 0)
        .ifPresent(
            available -> {
              throw wrong(
                  "--working-set=%s needs %s of memory > available=%s, lower it"
                      .formatted(size, needed, available));
            });
  }

  private void check(String option, long value, long min, long max) {
    if (value < min || value > max) {
      throw wrong("%s=%d is outside %d..%,d".formatted(option, value, min, max));
    }
  }

  private void checkWritable(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    if (Files.isDirectory(file) || folder == null || !Files.isWritable(folder)) {
      throw wrong(
          "--report=%s cannot be written; give a file in a folder that exists and is writable"
              .formatted(file));
    }
  }

  private ParameterException wrong(String message) {
    return new ParameterException(commandLine(), message);
  }

  private CommandLine commandLine() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine();
  }
}
