package io.trainingday.node;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;

/** Settings of small nodes for tests: own ports, own socket, little memory, no metrics port. */
public final class TestNodes {
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

  /** A loopback TCP port nobody listens on now. */
  public static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
