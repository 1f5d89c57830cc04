package io.trainingday.processes;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** All nodes at loopback, each with ports that are kept free for it. */
final class LoopbackPlaces implements NodePlace.Source {
  private static final int PORTS = 4;

  private final Map<Integer, PortReservation> reservations = new HashMap<>();

  @Override
  public NodePlace of(int number) {
    PortReservation ports =
        reservations.computeIfAbsent(number, unknown -> new PortReservation(PORTS));
    return new NodePlace(
        List.of(),
        InetAddress.getLoopbackAddress().getHostAddress(),
        ports.port(0),
        ports.port(1),
        ports.port(2),
        ports.port(3));
  }

  @Override
  public void close() {
    reservations.values().forEach(PortReservation::close);
    reservations.clear();
  }
}
