package io.trainingday.processes;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A JVM that this process started. Its standard input is a pipe that ends with this process however
 * that ends, so that a child that watches it ({@link ParentPipe}) never outlives us. What it prints
 * is heard here line by line; what it logs goes to a file.
 */
public final class ChildProcess {
  /** Lines nobody hears are of no use in greater numbers. */
  private static final int MAX_UNHEARD = 1_000;

  private static final int LAST_LINES = 20;
  private static final int LAST_BYTES = 16 << 10;
  private static final Duration KILL_LIMIT = Duration.ofSeconds(30);

  private final String name;
  private final Process process;
  private final Path log;
  // An empty one is the end.
  private final BlockingQueue<Optional<String>> said = new LinkedBlockingQueue<>(MAX_UNHEARD);

  private ChildProcess(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
  }

  /**
   * Starts one.
   *
   * @param name for messages
   * @param launcher what stands before {@code java} on its command line, such as a program that
   *     puts it into a network namespace and becomes it; mostly nothing
   * @param options of the JVM
   * @param environment changes to this process' own; an empty value takes the variable away
   * @param log is appended to
   * @throws ProcessException if it cannot be started
   */
  public static ChildProcess start(
      String name,
      List<String> launcher,
      List<String> options,
      String mainClass,
      List<String> arguments,
      Map<String, String> environment,
      Path log) {
    ProcessBuilder builder = new ProcessBuilder();
    builder.command().addAll(launcher);
    builder.command().addAll(JavaCommand.of(options, mainClass, arguments));
    environment.forEach(
        (variable, value) -> {
          if (value.isEmpty()) {
            builder.environment().remove(variable);
          } else {
            builder.environment().put(variable, value);
          }
        });
    try {
      Process process =
          builder.redirectError(ProcessBuilder.Redirect.appendTo(log.toFile())).start();
      ChildProcess child = new ChildProcess(name, process, log);
      Thread reader = new Thread(child::readOutput, "output of " + name);
      reader.setDaemon(true);
      reader.start();
      return child;
    } catch (IOException failure) {
      throw new ProcessException(
          "%s cannot be started: %s".formatted(name, failure.getMessage()), failure);
    }
  }

  private void readOutput() {
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        say(Optional.of(line));
      }
    } catch (IOException closed) {
      say(Optional.of(closed.toString()));
    } finally {
      say(Optional.empty());
    }
  }

  private void say(Optional<String> line) {
    while (!said.offer(line)) {
      said.poll();
    }
  }

  public String name() {
    return name;
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** Its exit code, 128 + n if signal n ended it; empty while it runs. */
  public OptionalInt exitCode() {
    return process.isAlive() ? OptionalInt.empty() : OptionalInt.of(process.exitValue());
  }

  /** Calls {@code listener} when the process has ended, on some thread. */
  public void onEnd(Runnable listener) {
    CompletableFuture<Void> unused = process.onExit().thenRun(listener);
  }

  /**
   * The next line it prints.
   *
   * @throws ProcessException if it ends instead, or prints none in time
   */
  public String hear(Duration limit) throws InterruptedException {
    Optional<String> line = said.poll(limit.toNanos(), TimeUnit.NANOSECONDS);
    if (line == null) {
      throw new ProcessException(
          "%s (process %d) says nothing for %d s%s"
              .formatted(name, pid(), limit.toSeconds(), lastLines()));
    }
    if (line.isEmpty()) {
      said.add(line);
      endBy(System.nanoTime() + KILL_LIMIT.toNanos());
      throw new ProcessException(ending());
    }
    return line.get();
  }

  /** How it ended, with what it logged last. */
  public String ending() {
    return "%s (process %d) has ended with exit code %s%s"
        .formatted(
            name,
            pid(),
            exitCode().isPresent() ? Integer.toString(exitCode().getAsInt()) : "unknown",
            lastLines());
  }

  /** What it logged last, each line on one of its own, behind a colon. */
  public String lastLines() {
    List<String> lines;
    try (FileChannel file = FileChannel.open(log)) {
      ByteBuffer end = ByteBuffer.allocate((int) Math.min(file.size(), LAST_BYTES));
      file.read(end, file.size() - end.capacity());
      lines = UTF_8.decode(end.flip()).toString().lines().toList();
    } catch (IOException unreadable) {
      return ", its log cannot be read: " + unreadable;
    }
    return lines.isEmpty()
        ? ", it logged nothing"
        : ":\n  "
            + String.join(
                "\n  ", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
  }

  /** Where it logs. */
  public Path log() {
    return log;
  }

  /** Asks the process to stop; one that has ended does not hear it. */
  public void askToStop() {
    try {
      process.getOutputStream().write((ParentPipe.STOP + "\n").getBytes(UTF_8));
      process.getOutputStream().flush();
    } catch (IOException gone) {
      process.destroy();
    }
  }

  /**
   * Waits for its end.
   *
   * @return whether it has ended
   */
  public boolean awaitEnd(Duration limit) throws InterruptedException {
    return process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS);
  }

  /**
   * Sends SIGKILL and returns when the process is gone.
   *
   * @throws ProcessException if it stays
   */
  public void kill() {
    process.destroyForcibly();
    if (!endedBy(System.nanoTime() + KILL_LIMIT.toNanos())) {
      throw new ProcessException("%s (process %d) cannot be killed".formatted(name, pid()));
    }
  }

  /** Kills it if it has not ended by then. */
  void endBy(long deadlineNanos) {
    if (!endedBy(deadlineNanos)) {
      kill();
    }
  }

  /** Interrupts are kept for later. */
  private boolean endedBy(long deadlineNanos) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return process.waitFor(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException later) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
