package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import io.trainingday.processes.PortReservation;
import io.trainingday.processes.ProcessException;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Finds ports for servers that must be told theirs. */
public final class FreePort {
  private static final Queue<PortReservation> RESERVED = new ConcurrentLinkedQueue<>();

  private FreePort() {}

  /** A port of loopback that is free, kept for the life of this process. */
  public static int find() {
    try {
      PortReservation reservation = new PortReservation(1);
      RESERVED.add(reservation);
      return reservation.port(0);
    } catch (ProcessException none) {
      throw new BenchException(String.valueOf(none.getMessage()), none);
    }
  }
}
