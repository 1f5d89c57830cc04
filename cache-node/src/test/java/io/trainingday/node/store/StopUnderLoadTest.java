package io.trainingday.node.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A node that is stopped under full load must not take the JVM with it. */
class StopUnderLoadTest {
  @ParameterizedTest
  @ValueSource(strings = {"page", "public"})
  void stop_underLoad_jvmLives(String reader, @TempDir Path directory) throws Exception {
    assertSurvives(reader, 10, directory);
  }

  @Tag("slow")
  @ParameterizedTest
  @ValueSource(strings = {"page", "public"})
  void stop_underLoadAHundredTimes_jvmLives(String reader, @TempDir Path directory)
      throws Exception {
    assertSurvives(reader, 100, directory);
  }

  private static void assertSurvives(String reader, int rounds, Path directory) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (argument.startsWith("--add-opens")) {
        command.add(argument);
      }
    }
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:ErrorFile=" + directory.resolve("hs_err.log"),
            "-ea",
            "-cp",
            System.getProperty("java.class.path"),
            StopUnderLoad.class.getName(),
            reader,
            Integer.toString(rounds),
            directory.toString()));
    Path output = directory.resolve("output.log");
    Process child =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(child.waitFor(10, TimeUnit.MINUTES)).as("ended in time").isTrue();
    } finally {
      child.destroyForcibly();
    }
    String said = Files.readString(output);
    assertThat(child.exitValue()).as("exit code of a JVM that said %s", said).isZero();
    assertThat(said).contains("stopped " + rounds);
    assertThat(directory.resolve("hs_err.log")).doesNotExist();
  }
}
