package io.trainingday.node;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.util.List;

/** Small programs of the operating system. */
final class Tool {
  private Tool() {}

  /**
   * Runs one to its end.
   *
   * @return what it printed
   * @throws AssertionError with what it printed, if it failed
   */
  static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    int exitCode = process.waitFor();
    if (exitCode != 0) {
      throw new AssertionError(
          "%s ended with %d: %s".formatted(String.join(" ", List.of(command)), exitCode, printed));
    }
    return printed;
  }
}
