package io.trainingday.bench.publish;

import io.trainingday.bench.path.BenchException;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** An administrator's connection to a node. */
final class Publisher implements AutoCloseable {
  private static final long GREETING_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** Over failure detection and a serving lease together, which a publish may have to wait for. */
  private static final long ANSWER_NANOS = TimeUnit.SECONDS.toNanos(60);

  private final LaneConnection lane;
  private long requests;

  Publisher(String address) {
    try {
      lane =
          LaneConnection.open(
              new LaneAddress(address, "the bench"),
              LaneMessage.Role.ADMIN,
              LaneAccess.OPEN,
              "bench publish",
              new LaneMemory(0),
              GREETING_NANOS);
    } catch (IOException | LaneException failure) {
      throw failed(failure);
    }
  }

  /** Tells that these samples have changed; returns when no node serves what they were. */
  void publish(String dataset, long[] changed) {
    try {
      lane.call(
          new AdminMessage.PublishChanged(dataset, "bench-" + requests++, changed),
          System.nanoTime() + ANSWER_NANOS);
    } catch (IOException | LaneException failure) {
      throw failed(failure);
    }
  }

  private static BenchException failed(Exception failure) {
    return new BenchException("nothing is published: " + failure.getMessage(), failure);
  }

  @Override
  public void close() {
    lane.close();
  }
}
