package io.trainingday.bench.pressure;

import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench pressure}: a full cache under load. */
@Command(
    name = "pressure",
    description = {
      "Fill a node with ten times what it can hold, from 12 writers at once, under a memory limit.",
      "Policies pin, lru and random in turn, each with a node in a process of its own."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PressureBenchCommand implements Callable<Integer> {
  private static final int MIN_SECONDS = 3;
  private static final int MAX_SECONDS = 86_400;
  private static final int OVERSUBSCRIPTION = 10;
  private static final int WRITERS = 12;
  private static final long REGION_BYTES = 2L << 30;
  private static final int LEAST_BYTES = 1 << 10;
  private static final int MOST_BYTES = 16 << 20;
  private static final List<String> JVM_OPTIONS =
      List.of("-Xmx768m", "-XX:MaxDirectMemorySize=384m", "-XX:+UseSerialGC");
  private static final DataSize SLOTS = DataSize.ofMiB(512);
  private static final DataSize IN_FLIGHT = DataSize.ofMiB(128);

  /** Region, heap, direct memory and slots as above, and 512 MiB for all the rest. */
  private static final long LIMIT_BYTES = REGION_BYTES + ((768L + 384 + 512 + 512) << 20);

  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--seconds",
      paramLabel = "N",
      defaultValue = "60",
      description = "for how long, all policies together (default: ${DEFAULT-VALUE})")
  private int seconds;

  /** Made by picocli. */
  public PressureBenchCommand() {}

  @Override
  public Integer call() throws IOException, InterruptedException {
    command.check();
    command.checkRange("--seconds", seconds, MIN_SECONDS, MAX_SECONDS);
    PressureReport report =
        new PressureBench(
                new PressureBench.Plan(
                    seconds,
                    REGION_BYTES,
                    OVERSUBSCRIPTION,
                    LEAST_BYTES,
                    MOST_BYTES,
                    WRITERS,
                    JVM_OPTIONS,
                    SLOTS,
                    IN_FLIGHT,
                    LIMIT_BYTES),
                command::progress)
            .run();
    command.finish(report.text(), report);
    return ExitCode.OK;
  }
}
