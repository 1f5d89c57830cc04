package io.trainingday.cli;

import com.fasterxml.jackson.databind.SerializationFeature;
import io.trainingday.answer.Output;
import io.trainingday.config.DataSize;
import io.trainingday.config.Settings;
import io.trainingday.processes.GridProcesses;
import io.trainingday.processes.HostMemory;
import io.trainingday.processes.NodeEndpoints;
import io.trainingday.processes.NodeProcess;
import io.trainingday.processes.ProcessException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code training-day grid}: several cache nodes as processes of this machine, until a signal. */
@Command(
    name = "grid",
    description =
        "Run a grid of several cache nodes on this machine, each in a process of its own, as if on"
            + " hosts of their own. Ctrl-C stops it and leaves nothing behind.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Settings are those of `serve`; ports, sockets, host ids and the addresses of each other are"
          + " the grid's business and not taken from them.",
      "With --json one line of JSON says where the nodes serve, once all of them do, and one more"
          + " what became of each job of --run.",
      "",
      "Examples:",
      "  training-day grid --nodes 3 --memory 1GiB",
      "  training-day grid --json | jq -r --unbuffered '.nodes[].socket'"
    })
final class GridCommand implements Callable<Integer> {
  private static final int MAX_NODES = 16;
  private static final int MAX_JOBS = 16;
  private static final int MAX_EPOCHS = 10_000;
  private static final long LOOK_MILLIS = 500;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--nodes",
      paramLabel = "N",
      defaultValue = "3",
      description = "how many nodes, 1 to " + MAX_NODES + " (default: ${DEFAULT-VALUE})")
  private int nodes;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description =
          "memory for samples of each node (default: memory.maxSize, less where the machine has"
              + " less)")
  private @Nullable String memory;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "settings of all nodes, .yaml, .yml or .xml (default: none)")
  private @Nullable Path config;

  @Option(
      names = "--directory",
      paramLabel = "DIR",
      description =
          "where sockets and logs lie while the grid runs, empty or not there yet (default: a new"
              + " one in the directory for temporary files)")
  private @Nullable Path directory;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write where the nodes serve as JSON to this file, once all of them do")
  private @Nullable Path report;

  @Option(
      names = "--run",
      paramLabel = "W",
      description =
          "run so many demo jobs over the grid at once, then stop; with --report each writes"
              + " job-1.json, … into the report's folder")
  private @Nullable Integer jobs;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "10",
      description = "epochs of each job of --run (default: ${DEFAULT-VALUE})")
  private int epochs;

  @Mixin private Output output = new Output();

  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch stopped = new CountDownLatch(1);

  @Override
  public Integer call() throws InterruptedException, IOException {
    check("--nodes", nodes, MAX_NODES);
    if (jobs != null) {
      check("--run", jobs, MAX_JOBS);
      check("--epochs", epochs, MAX_EPOCHS);
      if (!Main.hasDemoLibraries()) {
        throw wrong("--run needs the demo's libraries, which this installation leaves out");
      }
    }
    if (report != null) {
      checkWritable(report);
    }
    GridSizing sizing = new GridSizing(nodes, jobs == null ? 0 : jobs, HostMemory.available());
    Settings settings = settings(sizing);
    LogLevels.quiet();
    GridProcesses.Builder plan =
        GridProcesses.builder(settings)
            .nodes(nodes)
            .jvmOptions(sizing.jvmOptions())
            .onEnd(this::sayEnded);
    GridProcesses grid = directory == null ? plan.create() : createIn(directory, plan);
    // A signal ends the process when its hooks are done, so this one stops the grid.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(grid), "stop"));
    try (grid) {
      return run(grid, settings);
    } catch (ProcessException failure) {
      if (asked.getCount() == 0) {
        return Exit.WRONG.code(); // The signal's own exit code goes before it.
      }
      throw failure;
    } finally {
      stopped.countDown();
    }
  }

  private int run(GridProcesses grid, Settings settings) throws InterruptedException, IOException {
    grid.start();
    List<NodeEndpoints> endpoints = grid.nodes().stream().map(NodeProcess::endpoints).toList();
    if (report != null) {
      write(report, endpoints);
    }
    output.printLine(
        new Serving(
            Main.Version.text(),
            grid.directory().toString(),
            settings.memory().maxSize().bytes(),
            endpoints),
        () -> GridText.of(endpoints, settings, grid.directory()));
    if (jobs != null) {
      Path folder = report == null ? null : report.toAbsolutePath().getParent();
      try (GridJobs running = GridJobs.start(grid, jobs, epochs, folder)) {
        return running.await(output, commandLine().getErr(), asked)
            ? Exit.OK.code()
            : Exit.WRONG.code();
      }
    }
    while (!asked.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
      if (grid.nodes().stream().noneMatch(node -> node.process().isAlive())) {
        commandLine().getErr().println("error: no node is left");
        return Exit.WRONG.code();
      }
    }
    return Exit.OK.code();
  }

  private GridProcesses createIn(Path where, GridProcesses.Builder plan) {
    try {
      return plan.directory(where).create();
    } catch (ProcessException unusable) {
      throw wrong("--directory=%s: %s".formatted(where, unusable.getMessage()));
    }
  }

  private void stop(GridProcesses grid) {
    asked.countDown();
    grid.close();
    try {
      stopped.await();
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
  }

  private void sayEnded(NodeProcess node) {
    commandLine().getErr().println("error: " + node.process().ending());
  }

  private Settings settings(GridSizing sizing) {
    Settings settings = SettingsSource.read(config, System.getenv());
    try {
      return sizing.fit(settings, memory == null ? null : DataSize.parse(memory));
    } catch (IllegalArgumentException wrong) {
      String message = String.valueOf(wrong.getMessage());
      throw wrong(
          message.startsWith("write ") ? "--memory=%s: %s".formatted(memory, message) : message);
    }
  }

  private static void write(Path file, List<NodeEndpoints> nodes) throws IOException {
    Path absolute = file.toAbsolutePath();
    // Whoever sees the file sees all of it.
    Path unseen = Files.createTempFile(absolute.getParent(), ".grid", ".json");
    Output.MAPPER
        .writer(SerializationFeature.INDENT_OUTPUT)
        .writeValue(unseen.toFile(), new Report(nodes));
    Files.move(unseen, absolute, StandardCopyOption.ATOMIC_MOVE);
  }

  /** What --report holds. */
  record Report(List<NodeEndpoints> nodes) {}

  /**
   * What is answered once all nodes serve; the names of the components are the keys.
   *
   * @param directory of sockets and logs
   * @param memoryBytes of each node, for samples
   */
  private record Serving(
      String version, String directory, long memoryBytes, List<NodeEndpoints> nodes) {}

  private void check(String option, int value, int max) {
    if (value < 1 || value > max) {
      throw wrong(String.format(Locale.ROOT, "%s=%d is outside 1..%,d", option, value, max));
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
