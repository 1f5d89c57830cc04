package io.trainingday.processes;

import java.io.IOException;
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
final class PortReservation implements AutoCloseable {
  private final List<Socket> sockets = new ArrayList<>();

  PortReservation(int count) {
    try {
      for (int i = 0; i < count; i++) {
        Socket socket = new Socket();
        sockets.add(socket);
        socket.setReuseAddress(true);
        socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      }
    } catch (IOException none) {
      close();
      throw new ProcessException("no free port on loopback: " + none.getMessage(), none);
    }
  }

  int port(int i) {
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
