package io.trainingday.k8s;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The network of pods: each has a network namespace and an address of its own, all are plugged into
 * a switch, where the kubelet is. Nothing of it is connected to the network of the machine.
 */
final class PodNetwork implements AutoCloseable {
  /** What names begin with, before the id of the process that made them. */
  static final String PREFIX = "td-pods-";

  private static final String NETWORK = "10.79.0.";
  private static final int KUBELET = 1;
  private static final int LAST = 254;

  private static final AtomicInteger NETWORKS = new AtomicInteger();

  private final String name =
      PREFIX + ProcessHandle.current().pid() + "-" + NETWORKS.incrementAndGet() + "-";
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
    try {
      ip("netns", "add", hub);
      ip("-n", hub, "link", "add", "pods", "type", "bridge");
      ip("-n", hub, "address", "add", NETWORK + KUBELET + "/24", "dev", "pods");
      ip("-n", hub, "link", "set", "pods", "up");
    } catch (IllegalStateException failure) {
      try {
        close();
      } catch (IllegalStateException late) {
        failure.addSuppressed(late);
      }
      throw failure;
    }
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
    for (String namespace : namespaces()) {
      if (namespace.startsWith(name)) {
        ip("netns", "delete", namespace);
      }
    }
  }

  /** Those of tests that were killed. */
  private static void removeAbandoned() {
    for (String namespace : namespaces()) {
      if (isAbandoned(namespace)) {
        ip("netns", "delete", namespace);
      }
    }
  }

  /** Whether this is a name that begins with the prefix and the id of a process that has ended. */
  static boolean isAbandoned(String name) {
    if (!name.matches(PREFIX + "[0-9]+-.*")) {
      return false;
    }
    String owner = name.substring(PREFIX.length()).split("-", -1)[0];
    return ProcessHandle.of(Long.parseLong(owner)).isEmpty();
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
          failure.getMessage() + " (pods need root and ip, Debian: apt-get install iproute2)",
          failure);
    }
  }
}
