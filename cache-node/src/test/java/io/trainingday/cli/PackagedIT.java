package io.trainingday.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the build packed: runs after packaging, see the pom. */
final class PackagedIT {
  private static final Path TARGET = Path.of("target").toAbsolutePath();
  private static final Path LIB = TARGET.resolve("lib");
  private static final Path LIB_DEMO = TARGET.resolve("lib-demo");

  private final Path directory;
  private final List<Process> started = new ArrayList<>();

  PackagedIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @AfterEach
  void stopWhatRuns() {
    started.forEach(Process::destroyForcibly);
  }

  @Test
  void lib_holdsNothingThatOnlyDemoAndBenchNeed() throws IOException {
    for (Path jar : jars(LIB)) {
      try (ZipFile zip = new ZipFile(jar.toFile())) {
        assertThat(zip.stream())
            .as(jar.getFileName().toString())
            .noneMatch(
                entry ->
                    Stream.of(
                            "ai/djl/",
                            "redis/",
                            "com/sun/jna/",
                            "org/HdrHistogram/",
                            "me/tongfei/",
                            "org/lmdbjava/",
                            "jnr/",
                            "org/objectweb/")
                        .anyMatch(entry.getName()::startsWith));
      }
    }
  }

  @Test
  void libraries_areThereOnceEach() throws IOException {
    List<String> names =
        Stream.concat(jars(LIB).stream(), jars(LIB_DEMO).stream())
            .map(jar -> jar.getFileName().toString().replaceFirst("-\\d.*?(-native)?\\.jar", "$1"))
            .toList();

    assertThat(names).doesNotHaveDuplicates();
    assertThat(new TreeSet<>(names)).contains("ignite-core", "cache-client", "api", "jedis");
  }

  @Test
  void node_withoutTheDemosLibraries_servesUntilItIsTold() throws Exception {
    Path socket = directory.resolve("lane.sock");
    Path config = Files.writeString(directory.resolve("a.yaml"), "log: {level: warn}");
    Process node =
        java(
            Map.of(
                "TRAINING_DAY_CONFIG_LANE_SOCKET", socket.toString(),
                "TRAINING_DAY_CONFIG_GRID_PORT", String.valueOf(TestNodes.freePort()),
                "TRAINING_DAY_CONFIG_GRID_COMMUNICATION_PORT", String.valueOf(TestNodes.freePort()),
                "TRAINING_DAY_CONFIG_METRICS_PORT", "0",
                "TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE", "512MiB"),
            "serve",
            "--config",
            config.toString());
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> !node.isAlive() || printed(node).contains("Ctrl-C stops it."));
    assertThat(printed(node)).contains("  trainers  unix:" + socket, "512MiB for samples");

    Process status = java(Map.of(), "status", "--address", "unix:" + socket);
    assertThat(status.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(printed(status)).contains("ready", "no data set has been opened");

    Files.writeString(config, "log: {level: info}");
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> printed(node).contains(config + " changed: log.level=info."));

    node.destroy();
    assertThat(node.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(node.exitValue()).isEqualTo(128 + 15);
    assertThat(socket).doesNotExist();
    assertThat(printed(node)).doesNotContain("WARN", "ERROR", "Exception");
  }

  @Test
  void help_withoutTheDemosLibraries_leavesDemoAndBenchOut() throws Exception {
    Process help = java(Map.of(), "--help");

    assertThat(help.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(help.exitValue()).isZero();
    assertThat(printed(help)).contains("serve").doesNotContain("demo", "bench");
  }

  @Test
  void version_isThatOfTheBuild() throws Exception {
    Process version = java(Map.of(), "--version");

    assertThat(version.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(printed(version)).matches("training-day \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?\\R");
  }

  private Process java(Map<String, String> environment, String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + Path.of("bin", "ignite.jvmargs").toAbsolutePath(),
                "-Xmx256m",
                "-cp",
                TARGET.resolve("cache-node.jar") + ":" + LIB + "/*",
                "io.trainingday.cli.Main"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("output-" + started.size()).toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private String printed(Process process) throws IOException {
    return Files.readString(directory.resolve("output-" + started.indexOf(process)), UTF_8);
  }

  private static List<Path> jars(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.collect(Collectors.toList());
    }
  }
}
