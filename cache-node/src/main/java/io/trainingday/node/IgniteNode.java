package io.trainingday.node;

import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.GridListener;
import io.trainingday.grid.IgniteConfigurations;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import io.trainingday.node.recovery.KeptFilesException;
import io.trainingday.node.store.RecordStores;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The Ignite node below a cache node, and what it kept on disk of the grid it was in before. */
final class IgniteNode {
  private static final Logger LOG = LoggerFactory.getLogger(IgniteNode.class);

  /** The directory of what is kept of the grid, below that of the disk tier. */
  private static final String KEPT = "keys";

  private final Settings settings;
  private final Ignite ignite;
  private final Optional<KeptFiles> files;
  private final Optional<Kept> before;

  private IgniteNode(
      Settings settings, Ignite ignite, Optional<KeptFiles> files, Optional<Kept> before) {
    this.settings = settings;
    this.ignite = ignite;
    this.files = files;
    this.before = before;
  }

  /**
   * Joins the grid, or begins one.
   *
   * @param laneAddress where other nodes find this one's lane
   * @throws NodeStartException when Ignite cannot start, or the kept files cannot be read
   */
  static IgniteNode start(
      Settings settings,
      GridListener listener,
      Optional<String> laneAddress,
      Optional<SSLContext> tls) {
    Optional<KeptFiles> files = settings.disk().path().map(path -> openKept(path.resolve(KEPT)));
    try {
      Optional<Kept> before = files.flatMap(KeptFiles::kept);
      // What the node tells the others of what it kept.
      Optional<byte[]> told =
          files.map(kept -> before.map(Kept::encode).orElseGet(() -> new byte[0]));
      return new IgniteNode(
          settings, startIgnite(settings, listener, laneAddress, told, tls), files, before);
    } catch (RuntimeException | Error e) {
      files.ifPresent(IgniteNode::close);
      throw e;
    }
  }

  private static KeptFiles openKept(Path directory) {
    try {
      return KeptFiles.open(directory);
    } catch (KeptFilesException e) {
      throw new NodeStartException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Ignite startIgnite(
      Settings settings,
      GridListener listener,
      Optional<String> laneAddress,
      Optional<byte[]> kept,
      Optional<SSLContext> tls) {
    try {
      return Ignition.start(
          IgniteConfigurations.create(settings, listener, laneAddress, kept, tls));
    } catch (IgniteException e) {
      Throwable root = e;
      while (root.getCause() != null && root.getCause() != root) {
        root = root.getCause();
      }
      throw new NodeStartException(
          "the grid node cannot be started with grid.localAddress=%s, grid.port=%d, grid.communicationPort=%d: %s"
              .formatted(
                  settings.grid().localAddress(),
                  settings.grid().port(),
                  settings.grid().communicationPort(),
                  root.getMessage()),
          e);
    }
  }

  Ignite ignite() {
    return ignite;
  }

  /** What the node keeps on its disk of the grid; empty without a disk tier. */
  Optional<KeptFiles> keptFiles() {
    return files;
  }

  /** What was kept when the node started. */
  Optional<Kept> keptBefore() {
    return before;
  }

  /** The records in this node's memory, read as {@code lane.reader} says. */
  RecordStores stores() {
    return switch (settings.lane().reader()) {
      case PAGE -> RecordStores.withPageReader(ignite);
      case PUBLIC -> RecordStores.withPublicReader(ignite);
    };
  }

  /** Bytes in use of the data region of the samples, in whole pages. */
  long usedSampleBytes() {
    return usedBytes(GridCaches.SAMPLES_REGION);
  }

  /** Bytes free of the data region of the version keys, in whole pages. */
  long freeMetaBytes() {
    return settings.memory().metaMaxSize().bytes() - usedBytes(GridCaches.META_REGION);
  }

  // Ignite points to its metric registry instead, which has this figure only inside its internals.
  @SuppressWarnings("deprecation")
  private long usedBytes(String region) {
    return ignite.dataRegionMetrics(region).getTotalUsedPages()
        * ignite.configuration().getDataStorageConfiguration().getPageSize();
  }

  /** Stops Ignite, which first tells its listener. Safe to call again. */
  void stop() {
    Ignition.stop(ignite.name(), true);
  }

  /** Safe to call again. */
  void closeKeptFiles() {
    files.ifPresent(IgniteNode::close);
  }

  private static void close(KeptFiles files) {
    try {
      files.close();
    } catch (IOException e) {
      LOG.warn("Closing {} failed.", files.directory(), e);
    }
  }
}
