package io.trainingday.node;

import io.trainingday.processes.NodePlace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Hosts for the nodes of a test, each a network namespace of its own, all plugged into a switch in
 * one more namespace. A cut plugs some of them into another switch. Nothing of it is connected to
 * the network of the machine. Unix sockets work across: they are files. Needs root and {@code ip}.
 */
final class NetworkNamespaces implements NodePlace.Source {
  private static final String PREFIX = "td-test-";
  private static final String NETWORK = "10.77.0.";
  private static final String SWITCH = "whole";
  private static final String OTHER_SWITCH = "cut";
  private static final int GRID_PORT = 47_500;
  private static final int COMMUNICATION_PORT = 47_100;
  private static final int LANE_PORT = 9_463;
  private static final int METRICS_PORT = 9_464;

  private final String name = PREFIX + ProcessHandle.current().pid() + "-";
  private final Map<Integer, NodePlace> hosts = new TreeMap<>();
  private boolean closed;

  /** Makes the switch; hosts are added when they are first asked for. */
  NetworkNamespaces() {
    removeAbandoned();
    ip("netns", "add", switches());
    for (String bridge : List.of(SWITCH, OTHER_SWITCH)) {
      inSwitches("link", "add", bridge, "type", "bridge");
      inSwitches("link", "set", bridge, "up");
    }
  }

  private String switches() {
    return name + "switch";
  }

  private String host(int number) {
    return name + number;
  }

  @Override
  public NodePlace of(int number) {
    return hosts.computeIfAbsent(number, this::plugIn);
  }

  private NodePlace plugIn(int number) {
    String host = host(number);
    String address = NETWORK + number;
    ip("netns", "add", host);
    inSwitches("link", "add", cable(number), "type", "veth", "peer", "eth0", "netns", host);
    inSwitches("link", "set", cable(number), "master", SWITCH, "up");
    ip("-n", host, "address", "add", address + "/24", "dev", "eth0");
    ip("-n", host, "link", "set", "eth0", "up");
    ip("-n", host, "link", "set", "lo", "up");
    return new NodePlace(
        launcher(number), address, GRID_PORT, COMMUNICATION_PORT, LANE_PORT, METRICS_PORT);
  }

  private static String cable(int number) {
    return "host" + number;
  }

  /** What stands before a command line that is to run on a host. */
  List<String> launcher(int number) {
    return List.of("ip", "netns", "exec", host(number));
  }

  /** From now on these hosts reach each other alone, and all others reach each other alone. */
  void cut(int... some) {
    Set<Integer> side = IntStream.of(some).boxed().collect(Collectors.toSet());
    for (int number : hosts.keySet()) {
      plug(number, side.contains(number) ? OTHER_SWITCH : SWITCH);
    }
  }

  /** All hosts reach each other again. */
  void heal() {
    hosts.keySet().forEach(number -> plug(number, SWITCH));
  }

  private void plug(int number, String bridge) {
    inSwitches("link", "set", cable(number), "master", bridge);
  }

  /** Safe to call again. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    hosts.keySet().forEach(number -> ip("netns", "delete", host(number)));
    hosts.clear();
    ip("netns", "delete", switches());
  }

  private static void removeAbandoned() {
    for (String line : ip("netns", "list").lines().toList()) {
      String namespace = line.split(" ", -1)[0];
      if (namespace.matches(PREFIX + "[0-9]+-.*")) {
        long owner = Long.parseLong(namespace.substring(PREFIX.length()).split("-", -1)[0]);
        if (ProcessHandle.of(owner).isEmpty()) {
          ip("netns", "delete", namespace);
        }
      }
    }
  }

  private void inSwitches(String... arguments) {
    String[] all = new String[arguments.length + 2];
    all[0] = "-n";
    all[1] = switches();
    System.arraycopy(arguments, 0, all, 2, arguments.length);
    ip(all);
  }

  private static String ip(String... arguments) {
    String[] command = new String[arguments.length + 1];
    command[0] = "ip";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    try {
      return Tool.run(command);
    } catch (IOException failure) {
      throw new UncheckedIOException(
          "network namespaces need root and ip (Debian: apt-get install iproute2)", failure);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new AssertionError(stop);
    }
  }
}
