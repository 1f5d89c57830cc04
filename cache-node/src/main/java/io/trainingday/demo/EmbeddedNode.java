package io.trainingday.demo;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import io.trainingday.processes.PortReservation;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A cache node in this process with default settings, but a socket, ports and a grid of its own: it
 * can run beside a node that serves this host.
 */
final class EmbeddedNode implements AutoCloseable {
  private final CacheNode node;

  private EmbeddedNode(CacheNode node) {
    this.node = node;
  }

  static EmbeddedNode launch() throws IOException {
    Path directory = Files.createTempDirectory("training-day-demo");
    // At exit the node has stopped, after Ctrl-C too. Last registered is deleted first.
    directory.toFile().deleteOnExit();
    CacheNode node;
    try (PortReservation ports = new PortReservation(2)) {
      Settings settings =
          Settings.builder()
              .set(SettingKey.GRID_NAME, "training-day-demo")
              .set(SettingKey.GRID_PORT, ports.port(0))
              .set(SettingKey.GRID_COMMUNICATION_PORT, ports.port(1))
              .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
              .set(SettingKey.METRICS_ENABLED, false)
              .build();
      node = CacheNode.launch(settings);
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      files.forEach(file -> file.toFile().deleteOnExit());
    }
    return new EmbeddedNode(node);
  }

  Path socket() {
    return node.socket();
  }

  @Override
  public void close() {
    node.close();
  }
}
