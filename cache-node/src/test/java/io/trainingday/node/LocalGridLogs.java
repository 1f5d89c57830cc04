package io.trainingday.node;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Keeps what the nodes of a test's grids logged if the test failed, and says where. */
public final class LocalGridLogs implements AfterEachCallback {
  private static final Queue<Path> CLOSED = new ConcurrentLinkedQueue<>();

  static void add(Path logs) {
    CLOSED.add(logs);
  }

  @Override
  public void afterEach(ExtensionContext test) throws IOException {
    for (Path logs = CLOSED.poll(); logs != null; logs = CLOSED.poll()) {
      if (test.getExecutionException().isPresent()) {
        test.getExecutionException()
            .get()
            .addSuppressed(new AssertionError("the nodes' logs are in " + logs.toAbsolutePath()));
      } else {
        delete(logs);
      }
    }
  }

  private static void delete(Path logs) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(logs)) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
    Files.delete(logs);
  }
}
