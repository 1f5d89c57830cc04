package io.trainingday.node;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.TestCertificates.Identity;
import io.trainingday.processes.PortReservation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Settings of small nodes for tests: own ports, own socket, little memory, no metrics port. */
public final class TestNodes {
  private static final Queue<PortReservation> RESERVED = new ConcurrentLinkedQueue<>();

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
   * The same, with its lane over TCP too, in TLS with certificates on both ends.
   *
   * @param own the node's, which is trusted as well
   * @param client the other one that is trusted
   */
  public static Settings.Builder settingsWithTls(Path directory, Identity own, Identity client)
      throws IOException {
    Path trust =
        Files.writeString(
            directory.resolve("trust.pem"),
            Files.readString(own.certificate()) + Files.readString(client.certificate()));
    return settings(directory)
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.LANE_TCP_PORT, 0)
        .set(SettingKey.LANE_TLS_ENABLED, true)
        .set(SettingKey.LANE_TLS_CERTIFICATE, own.certificate())
        .set(SettingKey.LANE_TLS_KEY, own.key())
        .set(SettingKey.LANE_TLS_TRUST, trust)
        .set(SettingKey.LANE_TLS_CLIENT_CERTIFICATES, true);
  }

  /** A loopback TCP port that nobody uses, kept for the rest of the tests. */
  public static int freePort() {
    return freePorts(1);
  }

  /** The first of {@code count} such ports in a row. */
  public static int freePorts(int count) {
    PortReservation reservation = PortReservation.inARow(count);
    RESERVED.add(reservation);
    return reservation.port(0);
  }
}
