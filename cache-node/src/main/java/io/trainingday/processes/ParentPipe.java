package io.trainingday.processes;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/**
 * The other end of a {@link ChildProcess}, in the child: standard input, which says what the parent
 * wants and ends when the parent does.
 */
public final class ParentPipe {
  /** What a parent says to a child that is to stop. */
  static final String STOP = "stop";

  private ParentPipe() {}

  /** What the child hears; both are called on a thread of the pipe's own, one of them, once. */
  public interface Listener {
    /** The parent wants the child to stop. */
    void stop();

    /** The parent has ended. */
    void orphaned();
  }

  /** Listens from now on. */
  public static void listen(Listener listener) {
    Thread thread = new Thread(() -> read(listener), "parent");
    thread.setDaemon(true);
    thread.start();
  }

  private static void read(Listener listener) {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    try {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.equals(STOP)) {
          listener.stop();
          return;
        }
      }
    } catch (IOException broken) {
      // As good as its end.
    }
    listener.orphaned();
  }
}
