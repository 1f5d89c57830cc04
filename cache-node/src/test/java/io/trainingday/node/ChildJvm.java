package io.trainingday.node;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process of its own that runs a class of the tests. What it {@link #say}s is read here, in
 * order; everything else it prints is kept for the message of a failure. Killed when closed.
 */
public final class ChildJvm implements AutoCloseable {
  /** What a JVM with a cache node in it needs. Tests run in the module's directory. */
  public static final List<String> NODE_ARGUMENTS =
      List.of("@bin/ignite.jvmargs", "-Xmx512m", "-XX:TieredStopAtLevel=1");

  private static final String MARK = "#> ";
  private static final String END = "#end";
  private static final long DEADLINE_SECONDS = 120;

  private final Process process;
  private final BlockingQueue<String> said = new LinkedBlockingQueue<>();
  private final Queue<String> output = new ConcurrentLinkedQueue<>();

  /** Starts {@code main} in a JVM with the class path of the tests. */
  public ChildJvm(List<String> jvmArguments, Class<?> main, Object... arguments)
      throws IOException {
    this(command(jvmArguments, main, arguments));
  }

  /** Starts any command line, as one that ends in {@link #command}. */
  public ChildJvm(List<String> commandLine) throws IOException {
    process = new ProcessBuilder(commandLine).redirectErrorStream(true).start();
    Thread reader = new Thread(this::readOutput, "output of " + process.pid());
    reader.setDaemon(true);
    reader.start();
  }

  public static List<String> command(
      List<String> jvmArguments, Class<?> main, Object... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(jvmArguments);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(main.getName());
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    return command;
  }

  /** Called in the child: one line for the test that started it. */
  public static void say(String line) {
    System.out.println(MARK + line.replace('\n', ' '));
  }

  private void readOutput() {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        output.add(line);
        if (line.startsWith(MARK)) {
          said.add(line.substring(MARK.length()));
        }
      }
    } catch (IOException e) {
      output.add(e.toString());
    } finally {
      said.add(END);
    }
  }

  private String output() {
    return String.join("\n", output);
  }

  /** One line for the child's standard input. */
  public void tell(String line) {
    try {
      process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
    } catch (IOException e) {
      throw new UncheckedIOException(output(), e);
    }
  }

  /** The next line the child says; fails when it ends instead, or says nothing for too long. */
  public String hear() throws InterruptedException {
    String line = said.poll(DEADLINE_SECONDS, TimeUnit.SECONDS);
    if (line == null || line.equals(END)) {
      throw new AssertionError(
          (line == null ? "the child says nothing: " : "the child has ended: ") + output());
    }
    return line;
  }

  /** Fails unless the child ends by itself, and well. */
  public void endsWell() throws InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the child does not end: " + output());
    }
    if (process.exitValue() != 0) {
      throw new AssertionError("the child ended with " + process.exitValue() + ": " + output());
    }
  }

  /** SIGKILL; returns when the process is gone. */
  public void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("process " + process.pid() + " cannot be killed");
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.getOutputStream().close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
