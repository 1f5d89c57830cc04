package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.System.Logger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A three-node install as the chart renders it, its pods run as processes: they form one grid, and
 * serve trainers of other users over the mounted directory and over TCP. The test tagged slow
 * replaces them one by one under a training. Runs after packaging, see the pom.
 */
@Tag("root")
@Tag("python")
class RenderedInstallIT {
  private static final Logger LOG = System.getLogger(RenderedInstallIT.class.getName());
  private static final Path VALUES = Chart.MODES.resolve("small-values.yaml");
  private static final Path SCRIPTS = Path.of("src/test/resources");
  private static final List<String> HOSTS = List.of("host-1", "host-2", "host-3");
  private static final String TEAM = "team-a";
  private static final String VISION = "team-b";
  private static final int METRICS_SECONDS = 10;
  private static final int SAMPLES = 4_096;
  private static final int BATCHES = SAMPLES / 64;
  private static final int BY_SIGTERM = 128 + 15;
  private static final Duration SOON = Duration.ofMinutes(2);

  /** A node's answer is 2 s, one that is missed 3 s; nothing may be missed twice. */
  private static final long DEADLINE_MILLIS = 6_000;

  private static final String TOKEN = "of-a-trainer-of-the-tenant-default";
  private static final String TOKENS =
      """
      of-nodes default peer
      %s default trainer
      of-a-trainer-of-the-tenant-vision vision trainer
      """
          .formatted(TOKEN);

  private static final Pattern EPOCH =
      Pattern.compile(
          "epoch (\\d+): (\\d+) hits, (\\d+) loads, (\\d+) batches in slots, (\\d+) inline,"
              + " longest wait (\\d+) ms");

  @TempDir private Path work = Path.of("");

  @BeforeAll
  static void findTorch() {
    String found = "import importlib.util as u; print(all(map(u.find_spec, ('torch', 'numpy'))))";
    assertThat(Tool.print("/usr/bin/python3", "-c", found))
        .as("trainers need torch for /usr/bin/python3 (Debian: apt-get install python3-torch)")
        .isEqualTo("True\n");
  }

  @Test
  void mountedDirectory_servesOtherUsers_andRefusesOtherTenants() throws Exception {
    try (Install install = new Install(Map.of())) {
      RunningPod python = install.runPython("host-1");
      // As the example is, with a claim: of a release that differs in nothing else.
      Manifests claims = Chart.render(VALUES, Map.of("lane.mount", "persistentVolume"));
      assertThat(claims.nodes()).isEqualTo(install.release.nodes());
      install.cluster.apply(Chart.NAMESPACE, claims.all());
      RunningPod java =
          install.cluster.run(TrainerPods.asItIs("example-java"), TEAM, "java", "host-3");
      assertThat(install.endOf(python)).contains("66.7% from the cache", "; 4,096 loaded in");
      assertThat(install.endOf(java))
          .containsPattern("epoch 0: .*, 4096 loads\nepoch 1: .*, 0 loads");
      assertThat(install.hits("host-1", "local")).isPositive();
      assertThat(install.hits("host-1", "peer")).isPositive();

      RunningPod vision = install.runOtherTenant("host-1");
      assertThat(install.endOf(install.runIntruder("host-1"))).isEqualTo("refused\n");
      assertThat(install.endOf(vision)).contains("; 4,096 loaded in");

      RunningPod training = install.runTraining("host-2");
      install.awaitEpochs(training, 1);
      assertThat(install.cluster.delete(training)).as(training.container().lastLines()).isZero();
      check(epochs(training));
      assertThat(epochs(training)).allMatch(Epoch::isMostlyInSlots);
    }
  }

  @Test
  @Tag("slow")
  void nodesReplacedOneByOne_trainingGoesOnWithHits() throws Exception {
    try (Install install = new Install(Map.of())) {
      RunningPod training = install.runTraining("host-2");
      install.awaitEpochs(training, 3);
      for (RunningPod node : List.copyOf(install.nodes)) {
        install.replace(node);
        install.awaitEpochs(training, 1);
      }
      await("batches are in shared memory again")
          .atMost(SOON)
          .until(() -> last(epochs(training)).isMostlyInSlots());
      assertThat(install.cluster.delete(training)).as(training.container().lastLines()).isZero();
      List<Epoch> epochs = epochs(training);
      assertThat(epochs.get(0).loads()).isEqualTo(SAMPLES);
      try {
        check(epochs.subList(1, epochs.size()));
      } catch (AssertionError failure) {
        throw new AssertionError(failure.getMessage() + install.logs(training), failure);
      }
      assertThat(epochs.get(1).isMostlyInSlots()).isTrue();
    }
  }

  @Test
  void tcpAlone_servesOtherUsers() throws Exception {
    try (Install install = new Install(Map.of("lane.mount", "none"))) {
      RunningPod python = install.runPython("host-1");
      assertThat(install.endOf(python)).contains("66.7% from the cache", "; 4,096 loaded in");
      RunningPod training = install.runTraining("host-2");
      install.awaitEpochs(training, 2);
      assertThat(install.cluster.delete(training)).as(training.container().lastLines()).isZero();
      check(epochs(training));
      assertThat(epochs(training)).allMatch(one -> one.inline() == BATCHES);
      assertThat(install.hits("host-2", "local")).isPositive();
      assertThat(install.hits("host-2", "peer")).isPositive();
    }
  }

  /** A pass over the data set, as reads-on.py tells of it. */
  private record Epoch(int hits, int loads, int inSlots, int inline, long longestMillis) {
    boolean isMostlyInSlots() {
      return inSlots > BATCHES / 2;
    }
  }

  private static Epoch last(List<Epoch> epochs) {
    return epochs.get(epochs.size() - 1);
  }

  private static List<Epoch> epochs(RunningPod training) {
    return EPOCH
        .matcher(training.container().output())
        .results()
        .map(
            one ->
                new Epoch(
                    number(one, 2), number(one, 3), number(one, 4), number(one, 5), number(one, 6)))
        .toList();
  }

  private static int number(MatchResult match, int group) {
    return Integer.parseInt(match.group(group));
  }

  /** No sample was loaded, and none was waited for too long. */
  private static void check(List<Epoch> epochs) {
    long longest = epochs.stream().mapToLong(Epoch::longestMillis).max().orElseThrow();
    LOG.log(
        Logger.Level.INFO,
        "{0} epochs, the longest wait for a batch was {1} ms",
        epochs.size(),
        longest);
    assertThat(epochs)
        .allSatisfy(
            one -> {
              assertThat(one.hits()).isEqualTo(SAMPLES);
              assertThat(one.loads()).isZero();
              assertThat(one.longestMillis()).isLessThan(DEADLINE_MILLIS);
            });
  }

  /** A release on three hosts, all of its nodes ready. */
  private final class Install implements AutoCloseable {
    private final Manifests release;
    private final TrainerPods trainers;
    private final ProcessCluster cluster;
    private final List<RunningPod> nodes = new ArrayList<>();

    Install(Map<String, String> values) throws Exception {
      release = Chart.render(VALUES, values);
      trainers = new TrainerPods(Chart.notes(VALUES, values));
      cluster = new ProcessCluster(work);
      try {
        cluster.apply(Chart.NAMESPACE, release.all());
        cluster.applySecret(Chart.NAMESPACE, "training-day-tokens", "tokens", TOKENS);
        for (String namespace : List.of(TEAM, VISION)) {
          cluster.apply(namespace, TrainerPods.examples());
          cluster.applySecret(namespace, TrainerPods.SECRET, TrainerPods.KEY, TOKEN);
        }
        for (String host : HOSTS) {
          nodes.add(cluster.run(release.nodes(), Chart.NAMESPACE, "node-of-" + host, host));
        }
        for (RunningPod node : nodes) {
          cluster.awaitReady(node);
        }
        for (String host : HOSTS) {
          await("one grid")
              .atMost(SOON)
              .untilAsserted(
                  () ->
                      assertThat(metric(host, "training_day_grid_nodes")).isEqualTo(HOSTS.size()));
        }
      } catch (Exception | AssertionError failure) {
        try {
          close();
        } catch (AssertionError late) {
          failure.addSuppressed(late);
        }
        throw failure;
      }
    }

    /** The example in Python, attached as the notes say. */
    RunningPod runPython(String host) throws Exception {
      return cluster.run(trainers.attached("example-python"), TEAM, "python", host);
    }

    /** The example in Python as a trainer of the other tenant, as the notes say of it. */
    RunningPod runOtherTenant(String host) throws Exception {
      ObjectNode pod = trainers.attached("example-python");
      trainers.moveToTenant(pod, "vision");
      return cluster.run(pod, VISION, "vision", host);
    }

    /** A pod with the group of the other tenant that mounts the directory of the first. */
    RunningPod runIntruder(String host) throws Exception {
      ObjectNode pod = trainers.attached("example-python");
      JsonNode directory = TrainerPods.volume(pod).deepCopy();
      trainers.moveToTenant(pod, "vision");
      TrainerPods.volume(pod).setAll((ObjectNode) directory);
      applyProgram(VISION, "intrudes.py");
      return cluster.run(pod, VISION, "intruder", host);
    }

    /** A training that goes on until it is deleted. */
    RunningPod runTraining(String host) throws Exception {
      ObjectNode pod = trainers.attached("example-python");
      applyProgram(TEAM, "reads-on.py");
      return cluster.run(pod, TEAM, "training", host);
    }

    private void applyProgram(String namespace, String script) throws IOException {
      cluster.applyConfigMap(
          namespace, "example-python", "train.py", Files.readString(SCRIPTS.resolve(script)));
    }

    /** What a pod has printed that ends by itself, and well. */
    String endOf(RunningPod pod) throws InterruptedException {
      assertThat(pod.container().awaitEnd(SOON)).as(pod.container().lastLines()).isZero();
      return pod.container().output();
    }

    /** What a training and the nodes that run have printed. */
    String logs(RunningPod training) {
      return Stream.concat(Stream.of(training), nodes.stream())
          .map(pod -> "\n" + pod + ":\n" + pod.container().output())
          .collect(Collectors.joining());
    }

    void awaitEpochs(RunningPod training, int more) {
      int until = epochs(training).size() + more;
      await("epoch " + until)
          .atMost(SOON)
          .failFast(
              () ->
                  assertThat(training.container().isAlive())
                      .as(training.container().lastLines())
                      .isTrue())
          .until(() -> epochs(training).size() >= until);
    }

    /** Deletes a node's pod and waits for the next one to be ready. */
    void replace(RunningPod node) throws Exception {
      assertThat(cluster.delete(node)).as(node.container().lastLines()).isEqualTo(BY_SIGTERM);
      RunningPod next =
          cluster.run(release.nodes(), Chart.NAMESPACE, node.name() + "-next", node.host());
      nodes.set(nodes.indexOf(node), next);
      cluster.awaitReady(next);
    }

    /** The sum of a metric of a host's node, over all lines with these words. */
    double metric(String host, String name, String... words) {
      RunningPod node =
          nodes.stream().filter(one -> one.host().equals(host)).findFirst().orElseThrow();
      List<String> lines =
          node.get("metrics", "/metrics", METRICS_SECONDS)
              .lines()
              .filter(line -> line.matches(name + "[ {].*"))
              .filter(line -> List.of(words).stream().allMatch(line::contains))
              .toList();
      assertThat(lines).as(name).isNotEmpty();
      return lines.stream()
          .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
          .sum();
    }

    double hits(String host, String source) {
      return metric(
          host, "training_day_reads_total", "source=\"" + source + "\"", "result=\"hit\"");
    }

    @Override
    public void close() {
      cluster.close();
    }
  }
}
