package io.trainingday.k8s;

import java.io.IOException;
import java.util.List;

/**
 * The network of pods: each has a network namespace and an address of its own, all are plugged into
 * a switch, where the kubelet is. Nothing of it is connected to the network of the machine.
 */
final class PodNetwork implements AutoCloseable {
  private static final String PREFIX = "td-pods-";
  private static final String NETWORK = "10.79.0.";
  private static final int KUBELET = 1;
  private static final int LAST = 254;

  private final String name = PREFIX + ProcessHandle.current().pid() + "-";
  private final String hub = name + "hub";
  private int last = KUBELET;

  /** A pod's place: the name of its namespace, and its address. */
  record Place(String namespace, String address) {
    /** What stands before a command line that is to run there. */
    List<String> launcher() {
      return List.of("nsenter", "--net=/run/netns/" + namespace);
    }
  }

  PodNetwork() {
    removeAbandoned();
    ip("netns", "add", hub);
    ip("-n", hub, "link", "add", "pods", "type", "bridge");
    ip("-n", hub, "address", "add", NETWORK + KUBELET + "/24", "dev", "pods");
    ip("-n", hub, "link", "set", "pods", "up");
  }

  /** A place with an address that no pod has had before. */
  Place plugIn() {
    if (++last > LAST) {
      throw new IllegalStateException("no address is left");
    }
    Place place = new Place(name + last, NETWORK + last);
    String pod = place.namespace();
    ip("netns", "add", pod);
    ip("-n", hub, "link", "add", "pod" + last, "type", "veth", "peer", "eth0", "netns", pod);
    ip("-n", hub, "link", "set", "pod" + last, "master", "pods", "up");
    ip("-n", pod, "address", "add", place.address() + "/24", "dev", "eth0");
    ip("-n", pod, "link", "set", "eth0", "up");
    ip("-n", pod, "link", "set", "lo", "up");
    return place;
  }

  void unplug(Place place) {
    ip("netns", "delete", place.namespace());
  }

  /** What a GET by the kubelet is answered, headers included; empty if it is not. */
  String get(Place from, int port, String path, int timeoutSeconds) {
    String script =
        """
        exec 2>/dev/null 3<>"/dev/tcp/$0/$1" || exit 0
        printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$2" >&3
        cat <&3
        """;
    return Tool.print(
        "nsenter",
        "--net=/run/netns/" + hub,
        "timeout",
        Integer.toString(timeoutSeconds),
        "bash",
        "-c",
        script,
        from.address(),
        Integer.toString(port),
        path);
  }

  /** Namespaces of pods end with it; processes in them must have ended. */
  @Override
  public void close() {
    removeAll(name);
  }

  private static void removeAll(String beginning) {
    for (String namespace : namespaces()) {
      if (namespace.startsWith(beginning)) {
        ip("netns", "delete", namespace);
      }
    }
  }

  /** Those of tests that were killed. */
  private static void removeAbandoned() {
    for (String namespace : namespaces()) {
      if (namespace.matches(PREFIX + "[0-9]+-.*")) {
        String owner = namespace.substring(PREFIX.length()).split("-", -1)[0];
        if (ProcessHandle.of(Long.parseLong(owner)).isEmpty()) {
          ip("netns", "delete", namespace);
        }
      }
    }
  }

  private static List<String> namespaces() {
    return ip("netns", "list").lines().map(line -> line.split(" ", -1)[0]).toList();
  }

  private static String ip(String... arguments) {
    String[] command = new String[arguments.length + 1];
    command[0] = "ip";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    try {
      return Tool.run(command);
    } catch (IOException failure) {
      throw new IllegalStateException(
          "pods need root and ip (Debian: apt-get install iproute2): " + failure.getMessage(),
          failure);
    }
  }
}
