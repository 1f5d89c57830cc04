package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.each;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The Pod Security Standards of Kubernetes, as far as pods of Linux can break them: which level a
 * namespace must have at least for a pod to be admitted.
 */
final class PodSecurity {
  enum Level {
    RESTRICTED,
    BASELINE,
    PRIVILEGED;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final Set<String> BASELINE_CAPABILITIES =
      Set.of(
          "AUDIT_WRITE",
          "CHOWN",
          "DAC_OVERRIDE",
          "FOWNER",
          "FSETID",
          "KILL",
          "MKNOD",
          "NET_BIND_SERVICE",
          "SETFCAP",
          "SETGID",
          "SETPCAP",
          "SETUID",
          "SYS_CHROOT");
  private static final Set<String> RESTRICTED_VOLUMES =
      Set.of(
          "configMap",
          "csi",
          "downwardAPI",
          "emptyDir",
          "ephemeral",
          "persistentVolumeClaim",
          "projected",
          "secret");
  private static final Set<String> SELINUX_TYPES =
      Set.of("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t");

  private final List<String> beyondBaseline = new ArrayList<>();
  private final List<String> beyondRestricted = new ArrayList<>();

  private PodSecurity() {}

  /** The least level that admits a pod. */
  static Level of(JsonNode spec) {
    PodSecurity found = look(spec);
    return !found.beyondBaseline.isEmpty()
        ? Level.PRIVILEGED
        : found.beyondRestricted.isEmpty() ? Level.RESTRICTED : Level.BASELINE;
  }

  /** Why a pod is refused at a level; empty if it is not. */
  static List<String> violations(Level level, JsonNode spec) {
    PodSecurity found = look(spec);
    return switch (level) {
      case PRIVILEGED -> List.of();
      case BASELINE -> found.beyondBaseline;
      case RESTRICTED ->
          Stream.concat(found.beyondBaseline.stream(), found.beyondRestricted.stream()).toList();
    };
  }

  private static PodSecurity look(JsonNode spec) {
    PodSecurity found = new PodSecurity();
    found.lookAtPod(spec);
    Stream.of("initContainers", "containers", "ephemeralContainers")
        .flatMap(list -> each(spec.path(list)))
        .forEach(container -> found.lookAtContainer(spec.path("securityContext"), container));
    return found;
  }

  private void lookAtPod(JsonNode spec) {
    for (String host : List.of("hostNetwork", "hostPID", "hostIPC")) {
      baseline(!spec.path(host).asBoolean(false), host);
    }
    for (JsonNode volume : spec.path("volumes")) {
      String name = volume.path("name").asText();
      baseline(!volume.has("hostPath"), "volume " + name + " is a hostPath");
      volume
          .fieldNames()
          .forEachRemaining(
              type ->
                  restricted(
                      type.equals("name") || RESTRICTED_VOLUMES.contains(type),
                      "volume " + name + " is a " + type));
    }
    baseline(spec.at("/securityContext/sysctls").isEmpty(), "sysctls");
    lookAtShared("the pod", spec.path("securityContext"));
  }

  private void lookAtContainer(JsonNode pod, JsonNode container) {
    String name = container.path("name").asText();
    JsonNode own = container.path("securityContext");
    lookAtShared(name, own);
    baseline(!own.path("privileged").asBoolean(false), name + " is privileged");
    baseline(own.path("procMount").asText("Default").equals("Default"), name + " has a procMount");
    each(container.path("ports"))
        .forEach(
            port ->
                baseline(port.path("hostPort").asInt(0) == 0, name + " has a port of the host"));
    JsonNode capabilities = own.path("capabilities");
    each(capabilities.path("add"))
        .map(JsonNode::asText)
        .forEach(
            added -> {
              baseline(BASELINE_CAPABILITIES.contains(added), name + " adds " + added);
              restricted(added.equals("NET_BIND_SERVICE"), name + " adds " + added);
            });
    restricted(
        each(capabilities.path("drop")).anyMatch(one -> one.asText().equals("ALL")),
        name + " does not drop all capabilities");
    restricted(
        !own.path("allowPrivilegeEscalation").asBoolean(true), name + " may escalate privileges");
    restricted(either(own, pod, "runAsNonRoot").asBoolean(false), name + " may run as root");
    restricted(either(own, pod, "runAsUser").asInt(1) != 0, name + " runs as user 0");
    restricted(
        List.of("RuntimeDefault", "Localhost")
            .contains(either(own, pod, "seccompProfile").path("type").asText()),
        name + " has no seccomp profile");
  }

  private void lookAtShared(String who, JsonNode context) {
    JsonNode selinux = context.path("seLinuxOptions");
    baseline(
        SELINUX_TYPES.contains(selinux.path("type").asText())
            && selinux.path("user").asText().isEmpty()
            && selinux.path("role").asText().isEmpty(),
        who + " has options of SELinux beyond a level");
    baseline(
        !context.at("/seccompProfile/type").asText().equals("Unconfined"),
        who + " is unconfined by seccomp");
    baseline(
        !context.at("/appArmorProfile/type").asText().equals("Unconfined"),
        who + " is unconfined by AppArmor");
    baseline(
        !context.at("/windowsOptions/hostProcess").asBoolean(false), who + " is a host process");
  }

  private static JsonNode either(JsonNode own, JsonNode pod, String field) {
    return own.has(field) ? own.path(field) : pod.path(field);
  }

  private void baseline(boolean kept, String what) {
    if (!kept) {
      beyondBaseline.add(what);
    }
  }

  private void restricted(boolean kept, String what) {
    if (!kept) {
      beyondRestricted.add(what);
    }
  }
}
