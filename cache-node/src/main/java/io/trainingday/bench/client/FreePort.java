package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Finds ports for servers that must be told theirs. */
public final class FreePort {
  private static final Queue<Socket> RESERVED = new ConcurrentLinkedQueue<>();

  private FreePort() {}

  /**
   * A port of loopback that is free, kept for the life of this process: bound to a socket that
   * never listens, it is given to nobody who asks for any port, but may be listened on by number.
   */
  public static int find() {
    try {
      Socket reservation = new Socket();
      reservation.setReuseAddress(true);
      reservation.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      RESERVED.add(reservation);
      return reservation.getLocalPort();
    } catch (IOException none) {
      throw new BenchException("no free port on loopback: " + none.getMessage(), none);
    }
  }
}
