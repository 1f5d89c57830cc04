package io.trainingday.node.versions;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.awaitility.Awaitility;

/** A {@link VersionNode} in a process of its own, to be killed and paused. Killed when closed. */
final class VersionProcess implements AutoCloseable {
  private static final Duration ANSWER = Duration.ofSeconds(60);

  private final Process process;
  private final Path output;
  private final Path ready;

  /** Starts a process; the first question waits until its node serves. */
  VersionProcess(int index, int basePort, Path directory) throws IOException {
    this(index, basePort, directory, "");
  }

  /**
   * As above, of a node that keeps its version keys on disk; the first question waits until it has
   * its serving lease.
   */
  VersionProcess(int index, int basePort, Path directory, Duration recoveryWait)
      throws IOException {
    this(index, basePort, directory, recoveryWait.toString());
  }

  private VersionProcess(int index, int basePort, Path directory, String recoveryWait)
      throws IOException {
    output = directory.resolve("node-" + index + "-" + System.nanoTime() + ".log");
    ready = directory.resolve(output.getFileName() + ".port");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "@bin/ignite.jvmargs",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:-BytecodeVerificationRemote",
            "-cp",
            System.getProperty("java.class.path"),
            Child.class.getName(),
            Integer.toString(index),
            Integer.toString(basePort),
            directory.toString(),
            ready.toString(),
            recoveryWait));
    process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
  }

  private String ask(String line) throws IOException {
    Awaitility.await("a node that serves")
        .atMost(Duration.ofSeconds(60))
        .until(() -> Files.exists(ready) || !process.isAlive());
    if (!process.isAlive()) {
      throw new AssertionError("the node has ended: " + Files.readString(output));
    }
    return VersionNode.ask(Integer.parseInt(Files.readString(ready)), line, ANSWER);
  }

  /** Opens the data set and reads a sample's version in a loop from now on. */
  void watch(String name, long index) throws IOException {
    ask("watch " + name + " " + index);
  }

  /** What the loop has seen, see {@link Watched}. */
  Watched watched() throws IOException {
    return Watched.parse(ask("report"));
  }

  /** Publishes one change after the other until it is killed; each one made is a line of a file. */
  void publishFor(String name, long index, Path made) throws IOException {
    ask("publish " + name + " " + index + " " + made);
  }

  /** Opens a data set of 100 samples; what the node says of it, or why it does not. */
  String open(String name, String digest) throws IOException {
    return ask("open " + name + " " + digest);
  }

  /** Publishes that a sample changed; the generation, or why not. */
  String publish(String name, String requestId, long index) throws IOException {
    return ask("change " + name + " " + requestId + " " + index);
  }

  /** Publishes stamps of all samples; the generation, or why not. */
  String publishStamps(String name, String requestId, long differentIndex) throws IOException {
    return ask("stamps " + name + " " + requestId + " " + differentIndex);
  }

  /** Why the node does not serve as far as the recovery goes; empty if it does. */
  String trouble() throws IOException {
    return ask("trouble");
  }

  /** Stops the node in order. */
  void stop() throws IOException, InterruptedException {
    ask("stop");
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError("process " + process.pid() + " does not stop");
    }
  }

  /** What the process logged. */
  String log() throws IOException {
    return Files.readString(output);
  }

  /**
   * What a loop of reads has seen.
   *
   * @param reads all that ended
   * @param notServed those for which the node did not serve
   * @param lastStarts for each version the last time a read started that saw it
   */
  record Watched(long reads, long notServed, Map<Long, Long> lastStarts) {
    static Watched parse(String line) {
      String[] words = line.split(" ", -1);
      Map<Long, Long> starts = new HashMap<>();
      for (int i = 2; i < words.length; i++) {
        String[] pair = words[i].split(":", -1);
        starts.put(Long.parseLong(pair[0]), Long.parseLong(pair[1]));
      }
      return new Watched(Long.parseLong(words[0]), Long.parseLong(words[1]), starts);
    }
  }

  void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError("process " + process.pid() + " cannot be killed");
    }
  }

  /** SIGSTOP. */
  void pause() throws IOException, InterruptedException {
    signal("-STOP");
  }

  /** SIGCONT. */
  void resume() throws IOException, InterruptedException {
    signal("-CONT");
  }

  private void signal(String signal) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", signal, Long.toString(process.pid())).start();
    if (kill.waitFor() != 0) {
      throw new AssertionError("no signal to process " + process.pid());
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }

  /** The process. */
  static final class Child {
    private static final SourceIdentity SOURCE = new SourceIdentity(100, "aa11");

    private final AtomicLong reads = new AtomicLong();
    private final AtomicLong notServed = new AtomicLong();
    private final Map<Long, Long> lastStarts = new ConcurrentHashMap<>();
    private volatile VersionNode node;

    private Child(int index, int basePort, Path directory, String recoveryWait) {
      node =
          new VersionNode(
              index,
              basePort,
              directory,
              recoveryWait.isEmpty() ? null : Duration.parse(recoveryWait),
              this::answer);
    }

    public static void main(String[] arguments) throws Exception {
      Child child =
          new Child(
              Integer.parseInt(arguments[0]),
              Integer.parseInt(arguments[1]),
              Path.of(arguments[2]),
              arguments[4]);
      Path ready = Path.of(arguments[3]);
      Path half = Path.of(ready + ".half");
      Files.writeString(half, Integer.toString(child.node.port()));
      Files.move(half, ready);
    }

    private String answer(String line) {
      try {
        return answer(line.split(" ", -1));
      } catch (GridUnavailableException | DatasetRefusedException e) {
        return "refused: " + e.getMessage();
      }
    }

    private String answer(String[] words) {
      switch (words[0]) {
        case "watch" -> start(() -> watch(open(words[1]), Long.parseLong(words[2])));
        case "publish" ->
            start(() -> publish(words[1], Long.parseLong(words[2]), Path.of(words[3])));
        case "report" -> {
          StringBuilder report = new StringBuilder(reads + " " + notServed);
          lastStarts.forEach((version, time) -> report.append(" " + version + ":" + time));
          return report.toString();
        }
        case "open" -> {
          return describe(
              node.keys()
                  .open("alice", words[1], new SourceIdentity(100, words[2]), "p", Map.of()));
        }
        case "change" -> {
          long index = Long.parseLong(words[3]);
          return Long.toString(
              node.keys().publishChanged("alice", words[1], words[2], new long[] {index}));
        }
        case "stamps" -> {
          long[] indices = LongStream.range(0, 100).toArray();
          String[] stamps =
              LongStream.of(indices).mapToObj(i -> "stamp " + i).toArray(String[]::new);
          int different = Integer.parseInt(words[3]);
          if (different >= 0) {
            stamps[different] = "other";
          }
          return Long.toString(
              node.keys().publishManifest("alice", words[1], words[2], indices, stamps));
        }
        case "trouble" -> {
          return node.recovery().trouble().orElse("");
        }
        case "stop" ->
            start(
                () -> {
                  node.close();
                  System.exit(0);
                });
        default -> throw new IllegalArgumentException(words[0]);
      }
      return "ok";
    }

    /** Incarnation, generation and the samples that changed, each with its generation. */
    private static String describe(OpenDataset open) {
      DatasetView view = open.servableView();
      if (view == null) {
        return "not served";
      }
      String changed =
          LongStream.range(0, 100)
              .filter(i -> view.sampleVersion(i) != 0)
              .mapToObj(i -> i + "@" + SampleVersion.generation(view.sampleVersion(i)))
              .collect(Collectors.joining(","));
      return "%x %d %s %s"
          .formatted(view.incarnation(), view.generation(), changed, open.settings());
    }

    private static void start(Runnable loop) {
      Thread thread = new Thread(loop, "loop");
      thread.setDaemon(true);
      thread.start();
    }

    private OpenDataset open(String name) {
      return node.keys().open("alice", name, SOURCE, "p", Map.of());
    }

    private void watch(OpenDataset open, long index) {
      while (true) {
        long start = System.nanoTime();
        DatasetView view = open.servableView();
        if (view == null) {
          notServed.incrementAndGet();
        } else {
          lastStarts.put(SampleVersion.generation(view.sampleVersion(index)), start);
        }
        reads.incrementAndGet();
      }
    }

    private void publish(String name, long index, Path made) {
      try (Writer out = Files.newBufferedWriter(made)) {
        for (int i = 0; ; i++) {
          long start = System.nanoTime();
          long generation =
              node.keys().publishChanged("alice", name, "child-" + i, new long[] {index});
          out.write("%d %d %d%n".formatted(start, System.nanoTime(), generation));
          out.flush();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
