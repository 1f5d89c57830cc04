package io.trainingday.cli;

import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code serve} answers once the node serves; the names of the components are the keys.
 *
 * @param pid of the node's process
 * @param grid its name
 * @param socket the path of the Unix socket of the tenant {@code default}; a tenant's own lies in
 *     the directory of its name beside it
 * @param tenants of this host, those of a settings file
 * @param tcp the lane over TCP, {@code tcp://HOST:PORT}; null when it is off
 * @param metrics the URL of the metrics; null when they are off
 * @param memoryBytes for samples
 * @param slotBytes the most for batches, in {@code slotDirectory}
 */
record Served(
    String version,
    long pid,
    String grid,
    String hostId,
    String socket,
    List<String> tenants,
    @Nullable String tcp,
    @Nullable String metrics,
    long memoryBytes,
    long slotBytes,
    String slotDirectory) {

  static Served of(CacheNode node) {
    Settings settings = node.settings();
    return new Served(
        Main.Version.text(),
        ProcessHandle.current().pid(),
        settings.grid().name(),
        settings.grid().resolvedHostId(),
        node.socket().toString(),
        settings.lane().tenantList().stream().map(Settings.Tenant::name).toList(),
        node.laneAddress().map("tcp://"::concat).orElse(null),
        node.metricsPort().isPresent()
            ? metrics(settings.metrics().address(), node.metricsPort().getAsInt())
            : null,
        settings.memory().maxSize().bytes(),
        settings.lane().slots().maxBytes().bytes(),
        settings.lane().segmentDirectory().toString());
  }

  /** The URL of the metrics. */
  static String metrics(String address, int port) {
    return "http://%s:%d/metrics"
        .formatted(address.contains(":") ? "[" + address + "]" : address, port);
  }
}
