package io.trainingday.processes;

import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.OwnersMessage;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** One node of a grid of processes. */
public final class NodeProcess {
  private static final long ANSWER_NANOS = TimeUnit.SECONDS.toNanos(5);

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

  /**
   * Who is in the grid, as this node sees it.
   *
   * @throws IOException if it does not answer
   */
  public OwnersMessage.Reply members() throws IOException {
    LaneAddress address = new LaneAddress("unix:" + endpoints.socket(), "its grid");
    try (LaneConnection lane =
        LaneConnection.open(
            address,
            LaneMessage.Role.TRAINER,
            LaneAccess.OPEN,
            "the grid's process " + ProcessHandle.current().pid(),
            new LaneMemory(0),
            ANSWER_NANOS)) {
      return (OwnersMessage.Reply)
          lane.call(
                  new OwnersMessage.Request(OwnersMessage.Request.NO_DATASET),
                  System.nanoTime() + ANSWER_NANOS)
              .message();
    } catch (LaneException refused) {
      throw new IOException(this + " refuses: " + refused.getMessage(), refused);
    }
  }

  @Override
  public String toString() {
    return endpoints.id();
  }
}
