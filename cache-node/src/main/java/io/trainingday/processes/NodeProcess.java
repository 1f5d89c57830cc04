package io.trainingday.processes;

/** One node of a grid of processes. */
public final class NodeProcess {
  private final int number;
  private final NodeEndpoints endpoints;
  private final ChildProcess process;

  NodeProcess(int number, NodeEndpoints endpoints, ChildProcess process) {
    this.number = number;
    this.endpoints = endpoints;
    this.process = process;
  }

  /** From 1, in the order of their first start. */
  public int number() {
    return number;
  }

  /** Who it is and where it serves. */
  public NodeEndpoints endpoints() {
    return endpoints;
  }

  public ChildProcess process() {
    return process;
  }

  @Override
  public String toString() {
    return endpoints.id();
  }
}
