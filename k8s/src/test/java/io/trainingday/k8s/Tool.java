package io.trainingday.k8s;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/** Small programs of the operating system. */
final class Tool {
  private Tool() {}

  /**
   * Runs one to its end.
   *
   * @return what it printed
   * @throws IOException with what it printed, if it cannot be started or failed
   */
  static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String printed = output(process);
    if (process.exitValue() != 0) {
      throw new IOException(
          "%s ended with %d: %s"
              .formatted(String.join(" ", List.of(command)), process.exitValue(), printed));
    }
    return printed;
  }

  /** Runs one that may fail, and gives what it printed. */
  static String print(String... command) {
    try {
      return output(new ProcessBuilder(command).redirectErrorStream(true).start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String output(Process process) throws IOException {
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    try {
      process.waitFor();
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", stop);
    }
    return printed;
  }
}
