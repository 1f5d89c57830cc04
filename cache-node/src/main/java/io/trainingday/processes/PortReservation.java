package io.trainingday.processes;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * Ports of loopback kept free for processes that are told to listen on them.
 *
 * <p>Each is bound here to a socket that never listens or connects. The kernel gives such a port to
 * nobody who asks for any free one, neither to a server nor for an outgoing connection; but as both
 * sides set SO_REUSEADDR, as servers in Java do, one that asks for this very number may listen.
 */
public final class PortReservation implements AutoCloseable {
  private final List<Socket> sockets = new ArrayList<>();

  /**
   * Any so many ports.
   *
   * @throws ProcessException when there are none
   */
  public PortReservation(int count) {
    try {
      for (int i = 0; i < count; i++) {
        Socket socket = new Socket();
        sockets.add(socket);
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      }
    } catch (IOException none) {
      close();
      throw noPort(none);
    }
  }

  /**
   * So many ports in a row, behind any that has as many free ones after it.
   *
   * @throws ProcessException when there are none
   */
  public static PortReservation inARow(int count) {
    while (true) {
      PortReservation row = new PortReservation(1);
      try {
        for (int next = row.port(0) + 1; row.sockets.size() < count; next++) {
          row.add(next);
        }
        return row;
      } catch (BindException | IllegalArgumentException takenOrPastTheLast) {
        row.close();
      } catch (IOException none) {
        row.close();
        throw noPort(none);
      }
    }
  }

  private void add(int port) throws IOException {
    // Without the option the kernel refuses a port that another reservation has; with it, a server
    // may listen there.
    Socket socket = new Socket();
    sockets.add(socket);
    socket.setReuseAddress(false);
    socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    socket.setReuseAddress(true);
  }

  private static ProcessException noPort(Exception why) {
    return new ProcessException("no free port on loopback: " + why.getMessage(), why);
  }

  /** The {@code i}-th of them, from 0. */
  public int port(int i) {
    return sockets.get(i).getLocalPort();
  }

  @Override
  public void close() {
    for (Socket socket : sockets) {
      try {
        socket.close();
      } catch (IOException failure) {
        throw new ProcessException("a port cannot be given up: " + failure.getMessage(), failure);
      }
    }
  }
}
