package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage.Role;
import java.io.IOException;
import java.time.Duration;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/** Connects to nodes as a trainer. */
final class Connector {
  static final Duration GREETING_TIMEOUT = Duration.ofSeconds(3);

  private final Access access;
  private final @Nullable Duration answerTimeout;
  private final LaneMemory memory;
  private final IntSupplier wantedSlots;
  private final Background background;

  Connector(
      Access access,
      @Nullable Duration answerTimeout,
      LaneMemory memory,
      IntSupplier wantedSlots,
      Background background) {
    this.access = access;
    this.answerTimeout = answerTimeout;
    this.memory = memory;
    this.wantedSlots = wantedSlots;
    this.background = background;
  }

  /** How the process calls itself. */
  static String clientName() {
    return "java, process " + ProcessHandle.current().pid();
  }

  /**
   * Greets a node.
   *
   * @param longest for all of it; less where less was set for answers
   * @param events told when the session breaks or is about to
   * @throws IOException if there is no node, it does not answer in time or breaks the protocol
   * @throws LaneException if it refuses
   */
  Session connect(LaneAddress address, Duration longest, Session.Events events) throws IOException {
    Duration timeout =
        answerTimeout != null && answerTimeout.compareTo(longest) < 0 ? answerTimeout : longest;
    LaneConnection connection =
        LaneConnection.open(
            address, Role.TRAINER, access.now(), clientName(), memory, timeout.toNanos());
    return new Session(address, connection, answerTimeout, wantedSlots, background, events);
  }
}
