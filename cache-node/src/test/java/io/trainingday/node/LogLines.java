package io.trainingday.node;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The warnings and errors that are logged from its making to its closing, in this JVM. */
public final class LogLines implements AutoCloseable {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = System.out;
  private final PrintStream err = System.err;

  public LogLines() {
    System.setOut(both(out));
    System.setErr(both(err));
  }

  private PrintStream both(PrintStream other) {
    return new PrintStream(
        new OutputStream() {
          @Override
          public void write(int one) {
            other.write(one);
            bytes.write(one);
          }

          @Override
          public void write(byte[] some, int offset, int length) {
            other.write(some, offset, length);
            bytes.write(some, offset, length);
          }
        },
        true,
        StandardCharsets.UTF_8);
  }

  /** Those with all of these parts. */
  public List<String> with(String... parts) {
    return all().stream().filter(line -> List.of(parts).stream().allMatch(line::contains)).toList();
  }

  /** All. */
  public List<String> all() {
    return bytes
        .toString(StandardCharsets.UTF_8)
        .lines()
        .filter(line -> line.matches("[0-9:.]+ (WARN|ERROR) .*"))
        .toList();
  }

  @Override
  public void close() {
    System.setOut(out);
    System.setErr(err);
  }
}
