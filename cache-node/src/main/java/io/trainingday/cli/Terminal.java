package io.trainingday.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The person at the other end of standard input, if there is one. */
interface Terminal {
  /** Whether standard input is a terminal. */
  boolean canAsk();

  /** The next line, null at the end. */
  @Nullable String answer() throws IOException;

  /** That of this process. */
  static Terminal ofProcess() {
    return new Terminal() {
      @Override
      public boolean canAsk() {
        return isTerminal(0);
      }

      @Override
      public @Nullable String answer() throws IOException {
        return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))
            .readLine();
      }
    };
  }

  /** Asked of the kernel: what {@code System.console()} says depends on the Java version. */
  static boolean isTerminal(int descriptor) {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }
}
