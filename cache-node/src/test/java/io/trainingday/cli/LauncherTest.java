package io.trainingday.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the launcher in a repository of its own, where {@code java} and {@code mvn} are scripts. */
final class LauncherTest {
  private static final Path LAUNCHER = Path.of("bin", "training-day").toAbsolutePath();
  private static final String JAVA =
      """
      #!/bin/sh
      if [ "$1" = -version ]; then
        echo 'openjdk version "'"${FAKE_VERSION:-17.0.15}"'" 2025-04-15' >&2
        exit 0
      fi
      for argument in "$@"; do echo "$argument"; done
      """;

  /** Notes each call and fails as it is told, per call. */
  private static final String MVN =
      """
      #!/bin/sh
      echo "$JAVA_HOME $*" >>"$CALLS"
      call=$(wc -l <"$CALLS")
      echo noise
      if [ -e "$FAIL.$call" ]; then cat "$FAIL.$call"; exit 1; fi
      """;

  private final Path directory;
  private final Path root;
  private final Path jdk;
  private final Path calls;
  private final Path tools;
  private final Map<String, String> environment = new HashMap<>();

  LauncherTest(@TempDir Path directory) {
    this.directory = directory;
    root = directory.resolve("a repository");
    jdk = directory.resolve("jdk");
    calls = directory.resolve("calls");
    tools = directory.resolve("tools");
  }

  @BeforeEach
  void makeRepository() throws IOException {
    for (String module : List.of("ignite-config", "cache-client", "cache-node")) {
      write(root.resolve(module + "/src/main/java/A.java"), "");
      write(root.resolve(module + "/pom.xml"), "");
    }
    write(root.resolve("pom.xml"), "");
    write(root.resolve(".mvn/jvm.config"), "");
    write(root.resolve(".checkstyle/checkstyle.xml"), "");
    Path launcher = root.resolve("cache-node/bin/training-day");
    Files.createDirectories(root.resolve("cache-node/bin"));
    Files.copy(LAUNCHER, launcher);
    script(jdk.resolve("bin/java"), JAVA);
    script(jdk.resolve("bin/javac"), "#!/bin/sh\n");
    script(tools.resolve("mvn"), MVN);
    environment.put("PATH", tools + ":" + System.getenv("PATH"));
    environment.put("JAVA_HOME", jdk.toString());
    environment.put("CALLS", calls.toString());
    environment.put("FAIL", directory.resolve("fail").toString());
  }

  @Test
  void firstUse_buildsOnceAndStartsWithAllArguments() throws Exception {
    Result first = launch("status", "--address", "a b");
    Result second = launch("status", "--address", "a b");

    assertThat(first.exitCode).isZero();
    assertThat(first.err).startsWith("training-day: first use: building;").doesNotContain("noise");
    assertThat(first.out.lines())
        .containsSubsequence(
            "@" + root + "/cache-node/bin/ignite.jvmargs",
            "-Xmx256m",
            "-cp",
            root
                + "/cache-node/target/cache-node.jar:"
                + root
                + "/cache-node/target/lib/*:"
                + root
                + "/cache-node/target/lib-demo/*",
            "io.trainingday.cli.Main",
            "status",
            "--address",
            "a b");
    assertThat(second.out).isEqualTo(first.out);
    assertThat(second.err).isEmpty();
    assertThat(mavenCalls())
        .containsExactly(
            jdk + " -B -f " + root + "/pom.xml -pl cache-node -am -DskipTests package");
  }

  @Test
  void sources_changed_areBuiltWithoutTheNetwork() throws Exception {
    launch("status");
    changeLater(root.resolve("cache-client/src/main/java/A.java"));

    Result result = launch("status");

    assertThat(result.err).isEqualTo("training-day: sources have changed, building\n");
    assertThat(mavenCalls()).hasSize(2).last().asString().endsWith("-DskipTests -o package");
  }

  @Test
  void sources_removed_areBuiltAgain() throws Exception {
    launch("status");
    Path folder = root.resolve("cache-node/src/main/java");
    Files.delete(folder.resolve("A.java"));
    changeLater(folder);

    launch("status");

    assertThat(mavenCalls()).hasSize(2);
  }

  @Test
  void pom_thatNeedsMore_isBuiltWithTheNetwork() throws Exception {
    launch("status");
    changeLater(root.resolve("pom.xml"));
    write(
        directory.resolve("fail.2"),
        "[ERROR] Cannot access central in offline mode and the artifact x has not been downloaded");

    Result result = launch("status");

    assertThat(result.exitCode).isZero();
    assertThat(mavenCalls()).hasSize(3);
    assertThat(mavenCalls().get(2)).doesNotContain(" -o ");
  }

  @Test
  void build_thatFails_saysWhyAndIsTriedAgain() throws Exception {
    write(directory.resolve("fail.1"), "[INFO] fine\n[ERROR] A.java: ';' expected\n");

    Result failed = launch("status");
    Result repaired = launch("status");

    assertThat(failed.exitCode).isEqualTo(1);
    assertThat(failed.out).isEmpty();
    assertThat(failed.err)
        .contains("[ERROR] A.java: ';' expected\n", "training-day: the build failed")
        .contains(root + "/cache-node/target/training-day.log")
        .doesNotContain("fine");
    assertThat(repaired.exitCode).isZero();
  }

  @Test
  void build_thatFailsOffline_isNotTriedWithTheNetwork() throws Exception {
    launch("status");
    changeLater(root.resolve("pom.xml"));
    write(directory.resolve("fail.2"), "[ERROR] A.java: ';' expected\n");

    assertThat(launch("status").exitCode).isEqualTo(1);
    assertThat(mavenCalls()).hasSize(2);
  }

  @Test
  void firstUse_twiceAtOnce_buildsOnce() throws Exception {
    List<Process> launches = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      launches.add(start("status"));
    }
    for (Process launch : launches) {
      assertThat(result(launch).exitCode).isZero();
    }

    assertThat(mavenCalls()).hasSize(1);
  }

  @Test
  void link_toTheLauncher_findsTheRepository() throws Exception {
    Path link = Files.createSymbolicLink(tools.resolve("td"), launcher());

    Result result = result(start(link, "status"));

    assertThat(result.exitCode).isZero();
    assertThat(result.out).contains("@" + root + "/cache-node/bin/ignite.jvmargs\n");
  }

  @Test
  void javaOptions_comeAfterOurs() throws Exception {
    environment.put("TRAINING_DAY_JAVA_OPTS", "-Xmx7g -Dx=y");

    assertThat(launch("serve").out.lines()).containsSubsequence("-Xmx1g", "-Xmx7g", "-Dx=y", "-cp");
  }

  @Test
  void java_ofAnotherVersion_isRefused() throws Exception {
    environment.put("FAKE_VERSION", "21.0.2");

    Result result = launch("status");

    assertThat(result.exitCode).isEqualTo(1);
    assertThat(result.err)
        .isEqualTo("training-day: " + jdk + "/bin/java is Java 21; set JAVA_HOME to a JDK 17\n");
  }

  @Test
  void javaHome_thatIsNone_isRefused() throws Exception {
    environment.put("JAVA_HOME", "/nowhere");

    assertThat(launch("status").err)
        .isEqualTo(
            "training-day: JAVA_HOME=/nowhere has no bin/java; set it to a JDK 17, or unset it\n");
  }

  @Test
  void jdk_withoutCompiler_isRefusedWhereOneIsNeeded() throws Exception {
    Files.delete(jdk.resolve("bin/javac"));

    assertThat(launch("status").err).contains("comes without a compiler; install the whole JDK 17");
  }

  @Test
  void maven_missing_isRefusedInWords() throws Exception {
    Files.delete(tools.resolve("mvn"));
    for (String tool :
        List.of("bash", "env", "dirname", "readlink", "sed", "find", "flock", "mkdir", "touch")) {
      Files.createSymbolicLink(tools.resolve(tool), executable(tool));
    }
    environment.put("PATH", tools.toString());

    assertThat(launch("status").err)
        .isEqualTo(
            "training-day: no mvn on the PATH; install Maven 3.8 or newer (Debian: apt-get install"
                + " maven)\n");
  }

  private Path launcher() {
    return root.resolve("cache-node/bin/training-day");
  }

  private Result launch(String... arguments) throws Exception {
    return result(start(arguments));
  }

  private Process start(String... arguments) throws IOException {
    return start(launcher(), arguments);
  }

  private Process start(Path program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static Result result(Process process) throws Exception {
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Result(process.exitValue(), out, err);
  }

  private List<String> mavenCalls() throws IOException {
    return Files.readAllLines(calls);
  }

  private static void write(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    // Older than any build: a file made in the same tick as one is no change.
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(60)));
    if (!file.endsWith("fail")) {
      Files.setLastModifiedTime(file.getParent(), FileTime.from(Instant.now().minusSeconds(60)));
    }
  }

  private static void changeLater(Path file) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().plusSeconds(1)));
  }

  private static void script(Path file, String text) throws IOException {
    write(file, text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private static Path executable(String name) throws IOException {
    for (String folder : List.of("/usr/bin", "/bin")) {
      Path file = Path.of(folder, name);
      if (Files.exists(file)) {
        return file.toRealPath();
      }
    }
    throw new IOException("no " + name + " in /usr/bin or /bin");
  }

  private record Result(int exitCode, String out, String err) {}
}
