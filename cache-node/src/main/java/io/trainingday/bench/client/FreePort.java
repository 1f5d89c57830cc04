package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;

/** Finds ports for servers that must be told theirs. */
public final class FreePort {
  private FreePort() {}

  /** A port of loopback that is free now. */
  public static int find() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException none) {
      throw new BenchException("no free port on loopback: " + none.getMessage(), none);
    }
  }
}
