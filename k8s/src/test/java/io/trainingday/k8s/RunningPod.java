package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.named;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import org.awaitility.core.ConditionTimeoutException;
import org.awaitility.core.TerminalFailureException;
import org.jspecify.annotations.Nullable;

/** A pod whose containers are processes of this machine. Made by {@link ProcessCluster}. */
final class RunningPod {
  private static final Duration INIT_LIMIT = Duration.ofSeconds(60);
  private static final Duration READY_LIMIT = Duration.ofMinutes(3);
  private static final int DEFAULT_GRACE_SECONDS = 30;

  private final JsonNode template;
  private final String namespace;
  private final String name;
  private final String host;
  private final PodNetwork network;
  private final PodNetwork.Place place;
  private final JsonNode manifest;
  private @Nullable Container container;
  private boolean ready;

  /** One that has its address, and no container yet. */
  RunningPod(JsonNode template, String namespace, String name, String host, PodNetwork network) {
    this.template = template;
    this.namespace = namespace;
    this.name = name;
    this.host = host;
    this.network = network;
    this.place = network.plugIn();
    JsonNode containers = template.at("/spec/containers");
    if (containers.size() != 1) {
      throw new AssertionError("one container, not " + containers);
    }
    manifest = containers.path(0);
  }

  /** Runs the init containers, one after the other, and starts the one container. */
  void start(Container.Surroundings pod, ClusterObjects objects)
      throws IOException, InterruptedException {
    for (JsonNode init : template.at("/spec/initContainers")) {
      try (Container one = Container.start(init, environment(init, objects), pod)) {
        int code = one.awaitEnd(INIT_LIMIT);
        if (code != 0) {
          throw new AssertionError(
              "%s of %s ended with %d%s"
                  .formatted(init.path("name").asText(), name, code, one.lastLines()));
        }
      }
    }
    container = Container.start(manifest, environment(manifest, objects), pod);
    ready = !manifest.has("readinessProbe");
  }

  private Map<String, String> environment(JsonNode container, ClusterObjects objects) {
    TreeMap<String, String> environment = new TreeMap<>(Map.of("HOSTNAME", name));
    for (JsonNode variable : container.path("env")) {
      String value = variable.path("value").asText();
      JsonNode from = variable.path("valueFrom");
      if (from.has("fieldRef")) {
        value = field(from.at("/fieldRef/fieldPath").asText());
      } else if (from.has("secretKeyRef")) {
        JsonNode reference = from.path("secretKeyRef");
        JsonNode secret = objects.of("Secret", namespace, reference.path("name").asText());
        value =
            new String(
                Base64.getDecoder()
                    .decode(secret.path("data").path(reference.path("key").asText()).asText()),
                UTF_8);
      }
      for (Map.Entry<String, String> earlier : environment.entrySet()) {
        value = value.replace("$(" + earlier.getKey() + ")", earlier.getValue());
      }
      environment.put(variable.path("name").asText(), value);
    }
    return environment;
  }

  private String field(String path) {
    if (path.startsWith("metadata.labels['")) {
      return labels().path(path.substring(17, path.length() - 2)).asText();
    }
    return switch (path) {
      case "status.podIP" -> place.address();
      case "spec.nodeName" -> host;
      case "metadata.name" -> name;
      case "metadata.namespace" -> namespace;
      default -> throw new AssertionError("no field " + path);
    };
  }

  JsonNode labels() {
    return template.at("/metadata/labels");
  }

  JsonNode template() {
    return template;
  }

  String name() {
    return name;
  }

  String namespace() {
    return namespace;
  }

  String host() {
    return host;
  }

  PodNetwork.Place place() {
    return place;
  }

  /** Its process. */
  Container container() {
    if (container == null) {
      throw new IllegalStateException(name + " has not been started");
    }
    return container;
  }

  /** Whether its probes have said so; a pod without any is ready. */
  boolean isReady() {
    return ready;
  }

  /** Waits as the kubelet does: for the startup probe as often as it may fail, then to be ready. */
  void awaitReady() {
    JsonNode startup = manifest.path("startupProbe");
    awaitProbe(startup, seconds(startup).multipliedBy(startup.path("failureThreshold").asLong()));
    awaitProbe(manifest.path("readinessProbe"), READY_LIMIT);
    ready = true;
  }

  private void awaitProbe(JsonNode probe, Duration limit) {
    try {
      await(name + " answers " + probe.path("httpGet"))
          .pollDelay(Duration.ZERO)
          .pollInterval(seconds(probe))
          .atMost(limit)
          .failFast("it has ended", () -> !container().isAlive())
          .until(() -> succeeds(probe));
    } catch (ConditionTimeoutException | TerminalFailureException late) {
      throw new AssertionError(late.getMessage() + container().lastLines(), late);
    }
  }

  private static Duration seconds(JsonNode probe) {
    return Duration.ofSeconds(probe.path("periodSeconds").asLong());
  }

  private boolean succeeds(JsonNode probe) {
    JsonNode get = probe.path("httpGet");
    String answer =
        get(
            get.path("port").asText(),
            get.path("path").asText(),
            probe.path("timeoutSeconds").asInt());
    return answer.matches("(?s)HTTP/1\\.. [23]\\d\\d .*");
  }

  /** What it serves at a port by name, headers included; empty if it does not answer. */
  String get(String portName, String path, int timeoutSeconds) {
    int port = named(manifest.path("ports"), portName).path("containerPort").asInt();
    return network.get(place, port, path, timeoutSeconds);
  }

  /** No trainers are sent here any more. */
  void leave() {
    ready = false;
  }

  /**
   * Asks it to end, as the kubelet does.
   *
   * @return the exit code
   * @throws AssertionError if it does not end in time
   */
  int terminate() throws IOException, InterruptedException {
    container().terminate();
    return container()
        .awaitEnd(
            Duration.ofSeconds(
                template.at("/spec/terminationGracePeriodSeconds").asLong(DEFAULT_GRACE_SECONDS)));
  }

  /** Kills it. */
  void close() {
    if (container != null) {
      container.close();
    }
  }

  @Override
  public String toString() {
    return "%s on %s, %s".formatted(name, host, place.address());
  }
}
