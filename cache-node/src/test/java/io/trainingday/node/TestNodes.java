package io.trainingday.node;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Settings of small nodes for tests: own ports, own socket, little memory, no metrics port. */
public final class TestNodes {
  private static final Queue<Socket> RESERVED = new ConcurrentLinkedQueue<>();

  private TestNodes() {}

  /** A node whose socket lies in {@code directory}, to be changed further. */
  public static Settings.Builder settings(Path directory) {
    return Settings.builder()
        .set(SettingKey.GRID_PORT, freePort())
        .set(SettingKey.GRID_COMMUNICATION_PORT, freePort())
        .set(SettingKey.GRID_PARTITIONS, 64)
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.parse("256MiB"))
        .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.parse("8MiB"))
        .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
        .set(SettingKey.METRICS_ENABLED, false);
  }

  /**
   * A loopback TCP port that nobody uses, kept for the rest of the tests: bound here to a socket
   * that never listens, it is given to nobody who asks for any port, but may be listened on by
   * number.
   */
  public static int freePort() {
    return freePorts(1);
  }

  /** The first of {@code count} such ports in a row. */
  public static int freePorts(int count) {
    while (true) {
      List<Socket> reservations = new ArrayList<>();
      try {
        int first = reserve(0, reservations);
        for (int next = first + 1; next < first + count; next++) {
          reserve(next, reservations);
        }
        RESERVED.addAll(reservations);
        return first;
      } catch (BindException taken) {
        reservations.forEach(TestNodes::giveBack);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static void giveBack(Socket reservation) {
    try {
      reservation.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int reserve(int port, List<Socket> reservations) throws IOException {
    // Without the option the kernel refuses a port that another reservation has; with it, a server
    // may listen there.
    Socket reservation = new Socket();
    reservations.add(reservation);
    reservation.setReuseAddress(false);
    reservation.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    reservation.setReuseAddress(true);
    return reservation.getLocalPort();
  }
}
