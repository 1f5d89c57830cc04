package io.trainingday.k8s;

import static io.trainingday.k8s.ClusterObjects.namespaceOf;
import static io.trainingday.k8s.Manifests.name;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;

/**
 * A cluster whose pods are processes of this machine, run from their manifests as a kubelet would:
 * a host is a directory on a tmpfs, Services are lines of /etc/hosts. There is no scheduler and no
 * controller: the test says which pod runs where, and when. Needs root, {@code ip} and util-linux.
 */
final class ProcessCluster implements AutoCloseable {
  private static final String DOMAIN = "cluster.local";
  private static final Path MEMORY = Path.of("/dev/shm");

  private final ClusterObjects objects = new ClusterObjects();
  private final PodNetwork network;
  private final List<RunningPod> pods = new ArrayList<>();
  private final Path work;
  private final Path hosts;
  private final ImageTree image;

  /**
   * An empty one.
   *
   * @param work an empty directory, for images and logs
   */
  ProcessCluster(Path work) throws IOException {
    this.work = work;
    image = new ImageTree(Files.createDirectory(work.resolve("image")));
    removeAbandoned();
    String prefix = PodNetwork.PREFIX + ProcessHandle.current().pid() + "-";
    hosts = Files.createTempDirectory(MEMORY, prefix);
    try {
      network = new PodNetwork();
    } catch (IllegalStateException failure) {
      remove(hosts);
      throw failure;
    }
  }

  /** Directories of tests that were killed. */
  private static void removeAbandoned() throws IOException {
    try (Stream<Path> all = Files.list(MEMORY)) {
      all.filter(one -> PodNetwork.isAbandoned(one.getFileName().toString()))
          .forEach(ProcessCluster::remove);
    }
  }

  private static void remove(Path directory) {
    String said = Tool.print("rm", "-rf", directory.toString());
    if (!said.isEmpty()) {
      throw new AssertionError(said);
    }
  }

  /** Adds objects, or puts them in the place of those of their names. */
  void apply(String namespace, Iterable<JsonNode> some) {
    objects.apply(namespace, some);
  }

  /** Adds a Secret with one value. */
  void applySecret(String namespace, String name, String key, String value) {
    String encoded = Base64.getEncoder().encodeToString(value.getBytes(StandardCharsets.UTF_8));
    applyData("Secret", namespace, name, key, encoded);
  }

  /** Adds a ConfigMap with one value. */
  void applyConfigMap(String namespace, String name, String key, String value) {
    applyData("ConfigMap", namespace, name, key, value);
  }

  private void applyData(String kind, String namespace, String name, String key, String value) {
    ObjectNode object = JsonNodeFactory.instance.objectNode().put("kind", kind);
    object.putObject("metadata").put("name", name);
    object.putObject("data").put(key, value);
    objects.apply(namespace, List.of(object));
  }

  /**
   * Starts a pod with an address of its own.
   *
   * @param template its metadata and spec
   * @param name one that no pod has had before
   * @param host a name; hosts are there when they are first named
   */
  RunningPod run(JsonNode template, String namespace, String name, String host)
      throws IOException, InterruptedException {
    RunningPod pod = new RunningPod(template, namespace, name, host, network);
    pods.add(pod);
    Path own = Files.createDirectory(work.resolve(name));
    resolve();
    JsonNode spec = template.path("spec");
    PodVolumes volumes =
        new PodVolumes(
            spec.path("volumes"),
            objects,
            namespace,
            spec.at("/securityContext/fsGroup").asInt(-1),
            Files.createDirectories(hosts.resolve(host)),
            Files.createDirectories(hosts.resolve("volumes").resolve(name)));
    pod.start(
        new Container.Surroundings(spec, volumes, pod.place(), resolver(pod), image, own), objects);
    return pod;
  }

  /** Waits until the pod's probes say that it is ready, and tells others. */
  void awaitReady(RunningPod pod) throws IOException {
    pod.awaitReady();
    resolve();
  }

  /**
   * Ends a pod as the deletion of it does, and waits for that.
   *
   * @return the exit code
   */
  int delete(RunningPod pod) throws IOException, InterruptedException {
    pod.leave();
    resolve();
    int code = pod.terminate();
    pods.remove(pod);
    resolve();
    network.unplug(pod.place());
    return code;
  }

  private Path resolver(RunningPod pod) throws IOException {
    Path directory = Files.createDirectories(work.resolve(pod.name()).resolve("resolver"));
    return Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /** Tells all pods the addresses behind each Service. */
  private void resolve() throws IOException {
    for (RunningPod asker : pods) {
      StringBuilder lines = new StringBuilder("127.0.0.1 localhost\n");
      lines.append(asker.place().address()).append(' ').append(asker.name()).append('\n');
      for (JsonNode service : objects.of("Service")) {
        String name = "%s.%s.svc".formatted(name(service), namespaceOf(service));
        for (RunningPod pod : pods) {
          if (leadsTo(service, pod, asker)) {
            lines.append(pod.place().address()).append(" %s %s.%s\n".formatted(name, name, DOMAIN));
          }
        }
      }
      // Whoever reads it meanwhile finds the one or the other.
      Path directory = resolver(asker);
      Path next = Files.writeString(directory.resolve("next"), lines);
      Files.setPosixFilePermissions(next, PosixFilePermissions.fromString("rw-r--r--"));
      Files.move(next, directory.resolve("hosts"), StandardCopyOption.ATOMIC_MOVE);
    }
  }

  private static boolean leadsTo(JsonNode service, RunningPod pod, RunningPod asker) {
    JsonNode spec = service.path("spec");
    return namespaceOf(service).equals(pod.namespace())
        && Manifests.selects(spec.path("selector"), pod.template())
        && (pod.isReady() || spec.path("publishNotReadyAddresses").asBoolean())
        && (!spec.path("internalTrafficPolicy").asText().equals("Local")
            || pod.host().equals(asker.host()));
  }

  /**
   * Kills what runs.
   *
   * @throws AssertionError if something is left, with all that failed
   */
  @Override
  public void close() {
    List<Runnable> steps = new ArrayList<>();
    pods.forEach(pod -> steps.add(pod::close));
    steps.add(network::close);
    steps.add(() -> remove(hosts));
    List<Throwable> failures = new ArrayList<>();
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException | AssertionError failure) {
        failures.add(failure);
      }
    }
    if (!failures.isEmpty()) {
      AssertionError first = new AssertionError(failures.get(0).getMessage(), failures.get(0));
      failures.stream().skip(1).forEach(first::addSuppressed);
      throw first;
    }
  }
}
