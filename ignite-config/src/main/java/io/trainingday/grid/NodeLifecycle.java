package io.trainingday.grid;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.ignite.lifecycle.LifecycleBean;
import org.apache.ignite.lifecycle.LifecycleEventType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the owner before the node stops, and clears up after it. */
final class NodeLifecycle implements LifecycleBean {
  private static final Logger log = LoggerFactory.getLogger(NodeLifecycle.class);

  private final GridListener listener;
  private final List<Runnable> cleanups = new ArrayList<>();

  NodeLifecycle(GridListener listener) {
    this.listener = listener;
  }

  void afterStop(Runnable cleanup) {
    cleanups.add(cleanup);
  }

  /** A fresh directory that goes when the node has stopped: nothing in it outlives the node. */
  Path temporaryWorkDirectory() {
    try {
      Path directory = Files.createTempDirectory("training-day-ignite-");
      afterStop(() -> delete(directory));
      return directory;
    } catch (IOException cannotCreate) {
      throw new UncheckedIOException(
          "no work directory for Ignite under java.io.tmpdir="
              + System.getProperty("java.io.tmpdir"),
          cannotCreate);
    }
  }

  @Override
  public void onLifecycleEvent(LifecycleEventType event) {
    if (event == LifecycleEventType.BEFORE_NODE_STOP) {
      listener.stopping();
    } else if (event == LifecycleEventType.AFTER_NODE_STOP) {
      cleanups.forEach(Runnable::run);
    }
  }

  private static void delete(Path directory) {
    try (Stream<Path> tree = Files.walk(directory)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException | UncheckedIOException left) {
      log.warn("Ignite's work directory {} is left behind: {}", directory, left.toString());
    }
  }
}
