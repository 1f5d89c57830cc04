package io.trainingday.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.processes.ChildProcess;
import io.trainingday.processes.GridProcesses;
import io.trainingday.processes.NodeEndpoints;
import io.trainingday.processes.NodeProcess;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** Demo jobs that run over a grid at once, each in a process of its own. */
final class GridJobs implements AutoCloseable {
  private static final List<String> JVM_OPTIONS =
      List.of("-Xmx1g", "-XX:MaxDirectMemorySize=1g", "-XX:+UseSerialGC");

  /** What bin/training-day sets for a demo, and why, is said there. */
  private static final Map<String, String> MALLOC =
      Map.of(
          "MALLOC_MMAP_THRESHOLD_", "1073741824",
          "MALLOC_TRIM_THRESHOLD_", "4294967296",
          "MALLOC_TOP_PAD_", "67108864");

  private static final long FIRST_SEED = 42;
  private static final Duration LOOK = Duration.ofMillis(200);

  private final List<Job> jobs;

  private GridJobs(List<Job> jobs) {
    this.jobs = jobs;
  }

  private record Job(NodeEndpoints node, Path report, ChildProcess process) {}

  /**
   * What one did in all of its epochs; the names of the components are the keys.
   *
   * @param node it read from
   * @param testAccuracy 0–1
   */
  private record Done(
      String job, String node, double seconds, long hits, long originLoads, double testAccuracy) {

    String text() {
      return String.format(
          Locale.ROOT,
          "  %-7s on %-8s %7.1f s  %,9d hits  %,9d origin loads  test accuracy %.1f %%",
          job,
          node,
          seconds,
          hits,
          originLoads,
          100 * testAccuracy);
    }
  }

  /**
   * Starts them, spread over the nodes.
   *
   * @param folder of the jobs' reports; null for none that stay
   */
  static GridJobs start(GridProcesses grid, int count, int epochs, @Nullable Path folder)
      throws IOException {
    List<NodeProcess> nodes = grid.nodes();
    Path logs = Files.createDirectories(grid.directory().resolve("jobs"));
    Path reports = folder == null ? logs : folder;
    Map<String, String> environment = new HashMap<>(MALLOC);
    environment.keySet().removeAll(System.getenv().keySet());
    List<Job> jobs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      String name = "job-" + (i + 1);
      NodeEndpoints node = nodes.get(i % nodes.size()).endpoints();
      Path report = reports.resolve(name + ".json");
      Files.deleteIfExists(report);
      ChildProcess process =
          ChildProcess.start(
              name,
              List.of(),
              JVM_OPTIONS,
              Main.class.getName(),
              List.of(
                  "demo",
                  Main.END_WITH_STDIN,
                  "--socket=" + node.socket(),
                  "--seed=" + (FIRST_SEED + i),
                  "--epochs=" + epochs,
                  "--report=" + report),
              environment,
              logs.resolve(name + ".log"));
      jobs.add(new Job(node, report, process));
    }
    return new GridJobs(jobs);
  }

  /**
   * Waits for all of them and prints what each did.
   *
   * @param err takes how one failed
   * @param asked ends the waiting
   * @return whether all succeeded
   */
  boolean await(Output output, PrintWriter err, CountDownLatch asked)
      throws InterruptedException, IOException {
    output.tell("%n%d jobs train".formatted(jobs.size()));
    boolean allWell = true;
    for (Job job : jobs) {
      while (!job.process.awaitEnd(LOOK)) {
        if (asked.getCount() == 0) {
          return false;
        }
      }
      if (job.process.exitCode().orElse(-1) == 0) {
        Done done = done(job);
        output.printLine(done, done::text);
      } else {
        allWell = false;
        err.println("error: " + job.process.ending());
      }
    }
    return allWell;
  }

  private static Done done(Job job) throws IOException {
    JsonNode result = Output.MAPPER.readTree(job.report.toFile());
    long hits = 0;
    long loads = 0;
    double seconds = 0;
    for (JsonNode epoch : result.path("epochs")) {
      hits += epoch.path("hits").asLong();
      loads += epoch.path("originLoads").asLong();
      seconds += epoch.path("seconds").asDouble();
    }
    return new Done(
        job.process.name(),
        job.node.id(),
        seconds,
        hits,
        loads,
        result.path("testAccuracy").asDouble());
  }

  @Override
  public void close() {
    jobs.forEach(job -> job.process.kill());
  }
}
