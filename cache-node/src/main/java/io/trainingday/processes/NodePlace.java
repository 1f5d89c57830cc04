package io.trainingday.processes;

import java.util.List;

/**
 * Where one node runs and what it listens on.
 *
 * @param launcher what stands before {@code java} on its command line; mostly nothing
 * @param address all its ports are at, which the other nodes reach
 */
public record NodePlace(
    List<String> launcher,
    String address,
    int gridPort,
    int communicationPort,
    int lanePort,
    int metricsPort) {
  public NodePlace {
    launcher = List.copyOf(launcher);
  }

  /** Where other nodes find it. */
  String discoveryAddress() {
    return address + ":" + gridPort;
  }

  /** Gives each node its place, the same whenever it is asked for the same node. */
  public interface Source extends AutoCloseable {
    /**
     * The place of a node.
     *
     * @param number from 1
     */
    NodePlace of(int number);

    /** Gives up what was kept for the nodes. */
    @Override
    void close();
  }
}
