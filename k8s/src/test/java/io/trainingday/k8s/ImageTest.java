package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The recipe of the image, as far as it can be tried without a registry: its parts and launcher.
 */
class ImageTest {
  private static final Path ROOT = Path.of("..");
  private static final Path LAUNCHER = Path.of("image/training-day");

  @Test
  void launcher_startsTheJvmAsTheOneOfACheckoutDoes() throws IOException {
    String ours = Files.readString(LAUNCHER);
    String theirs = Files.readString(ROOT.resolve("cache-node/bin/training-day"));
    for (String verb : List.of("serve)", "*)")) {
      assertThat(options(ours, verb)).isNotEmpty().isEqualTo(options(theirs, verb));
    }
  }

  private static String options(String script, String verb) {
    Matcher matcher =
        Pattern.compile("(?s)\\n  " + Pattern.quote(verb) + "\\s*jvm=\\((.*?)\\)").matcher(script);
    return matcher.find() ? matcher.group(1).replaceAll("\\s+", " ") : "";
  }

  @Test
  void launcher_takesAZoneThatIsEmptyForNoneAndKeepsOthersOut(@TempDir Path work)
      throws IOException, InterruptedException {
    Map<String, String> seen =
        launch(work, Map.of("TRAINING_DAY_CONFIG_GRID_ZONE", ""), "serve", "--config", "a b.yaml");
    assertThat(seen).doesNotContainKey("TRAINING_DAY_CONFIG_GRID_ZONE");
    assertThat(seen)
        .containsEntry("umask", "0007")
        .hasEntrySatisfying(
            "arguments",
            all -> assertThat(all).endsWith("io.trainingday.cli.Main|serve|--config|a b.yaml"));
    assertThat(launch(work, Map.of("TRAINING_DAY_CONFIG_GRID_ZONE", "zone-a"), "serve"))
        .containsEntry("TRAINING_DAY_CONFIG_GRID_ZONE", "zone-a");
  }

  @Test
  void launcher_putsOptionsOfTheChartLast(@TempDir Path work)
      throws IOException, InterruptedException {
    Map<String, String> seen =
        launch(
            work,
            Map.of("TRAINING_DAY_JAVA_OPTS", "-Xmx300m -XX:MaxDirectMemorySize=200m"),
            "serve");
    assertThat(seen.get("arguments"))
        .contains("-Xmx1g")
        .containsPattern("-Xmx1g.*\\|-Xmx300m\\|-XX:MaxDirectMemorySize=200m\\|-cp\\|");
  }

  @Test
  void launcher_namesANodeByItsAddressWhereCertificatesAskForIt(@TempDir Path work)
      throws IOException, InterruptedException {
    tool(work, "getent", "exit 0");
    Map<String, String> seen =
        launch(
            work,
            Map.of(
                "TRAINING_DAY_LANE_DOMAIN", "td-nodes.caches.svc.cluster.local",
                "TRAINING_DAY_CONFIG_GRID_LOCAL_ADDRESS", "10.1.2.3"),
            "serve");
    assertThat(seen)
        .containsEntry(
            "TRAINING_DAY_CONFIG_LANE_TCP_ADDRESS", "10-1-2-3.td-nodes.caches.svc.cluster.local");
  }

  /** Runs the launcher with a stand-in for java, and gives what that has seen. */
  private static Map<String, String> launch(
      Path work, Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    tool(
        work,
        "java",
        """
        printf 'umask=%s\\n' "$(umask)"
        (IFS='|'; printf 'arguments=%s\\n' "$*")
        env | grep '^TRAINING_DAY_CONFIG'
        """);
    List<String> command = new ArrayList<>(List.of(LAUNCHER.toAbsolutePath().toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().keySet().removeIf(name -> name.startsWith("TRAINING_DAY"));
    builder.environment().putAll(environment);
    builder.environment().merge("PATH", work.toString(), (path, own) -> own + ":" + path);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    Map<String, String> seen = new TreeMap<>();
    said.lines()
        .filter(line -> line.contains("="))
        .forEach(
            line ->
                seen.put(
                    line.substring(0, line.indexOf('=')), line.substring(line.indexOf('=') + 1)));
    return seen;
  }

  private static void tool(Path work, String name, String script) throws IOException {
    Path tool = work.resolve(name);
    Files.writeString(tool, "#!/bin/bash\n" + script);
    assertThat(tool.toFile().setExecutable(true)).isTrue();
  }

  /** The disk tier of an image runs on the machine that the image is for. */
  @ParameterizedTest
  @CsvSource({"x86_64, linux64, 0", "aarch64, linux-aarch64, 0", "riscv64, linux-riscv64, 2"})
  void dockerfile_keepsRocksDbOfTheImagesMachine(
      String machine, String platform, int code, @TempDir Path work)
      throws IOException, InterruptedException {
    Path lib = Files.createDirectories(work.resolve("src/cache-node/target/lib"));
    Files.writeString(lib.resolve("rocksdbjni-1.jar"), "");
    tool(work, "uname", "echo " + machine);
    tool(
        work,
        "jar",
        """
        case $1 in
          -xf) touch librocksdbjni-{linux64,linux-aarch64,osx-arm64,win64}.so RocksDB.class ;;
          *) ls >../kept ;;
        esac
        """);
    Matcher step =
        Pattern.compile("(?m)^RUN (mkdir /rocksdb(?:.*\\\\\n)*.*)")
            .matcher(Files.readString(Path.of("Dockerfile")));
    assertThat(step.find()).isTrue();
    String script = step.group(1).replaceAll(" /(?=rocksdb|src/)", " " + work + "/");
    ProcessBuilder builder =
        new ProcessBuilder("/bin/bash", "-c", script).redirectErrorStream(true);
    builder.environment().merge("PATH", work.toString(), (path, own) -> own + ":" + path);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isEqualTo(code);
    if (code == 0) {
      assertThat(work.resolve("kept"))
          .hasContent("RocksDB.class\nlibrocksdbjni-%s.so\n".formatted(platform));
    }
  }

  @Test
  void dockerfile_copiesWhatTheContextHas() throws IOException {
    List<String> ignored = Files.readAllLines(ROOT.resolve(".dockerignore"));
    List<String> kept =
        ignored.stream()
            .filter(line -> line.startsWith("!"))
            .map(line -> line.substring(1))
            .toList();
    assertThat(ignored).contains("*");
    assertThat(kept).allSatisfy(path -> assertThat(ROOT.resolve(path)).exists());
    // The modules that Maven reads before it builds anything.
    Matcher modules =
        Pattern.compile("<module>(.*)</module>").matcher(Files.readString(ROOT.resolve("pom.xml")));
    while (modules.find()) {
      String module = modules.group(1);
      assertThat(kept).anyMatch(path -> (module + "/pom.xml").startsWith(path));
    }
    Matcher copies =
        Pattern.compile("(?m)^COPY (?!--from)(\\S+) ")
            .matcher(Files.readString(Path.of("Dockerfile")));
    int found = 0;
    while (copies.find()) {
      found++;
      String source = copies.group(1);
      assertThat(kept).anyMatch(path -> source.equals(".") || source.startsWith(path));
      assertThat(ROOT.resolve(source)).exists();
    }
    assertThat(found).isEqualTo(2);
  }

  /** A checkout of someone who keeps files to themselves makes an image that runs all the same. */
  @Test
  void dockerfile_givesFilesOfTheCheckoutModesOfTheirOwn() throws IOException {
    String dockerfile = Files.readString(Path.of("Dockerfile"));
    String image = dockerfile.substring(dockerfile.lastIndexOf("\nFROM "));
    assertThat(Pattern.compile("(?m)^COPY (?!--from=)").matcher(image).results()).isEmpty();
    Matcher paths = Pattern.compile("/src/\\S+").matcher(image);
    while (paths.find()) {
      assertThat(paths.group()).contains("/target/");
    }
    for (String file : List.of("644 LICENSE", "644 cache-node/bin/ignite.jvmargs")) {
      assertThat(dockerfile).contains("install -m " + file + " /image/");
    }
    assertThat(dockerfile).contains("install -m 755 k8s/image/training-day /image/bin/");
  }

  @Test
  void dockerfile_runsAsTheUserOfTheChartAndListensAtItsPorts() throws IOException {
    String dockerfile = Files.readString(Path.of("Dockerfile"));
    JsonNode values = Chart.yaml(Files.readString(Chart.DIRECTORY.resolve("values.yaml")));
    assertThat(dockerfile)
        .contains(
            "USER %s:%s\n"
                .formatted(
                    values.at("/podSecurity/runAsUser").asText(),
                    values.at("/podSecurity/runAsGroup").asText()));
    values
        .path("ports")
        .forEach(port -> assertThat(dockerfile).containsPattern("EXPOSE .*\\b" + port.asText()));
    assertThat(dockerfile).doesNotContain("target/lib-demo");
  }

  @Test
  void versions_areThoseOfTheBuild() throws IOException {
    Matcher build =
        Pattern.compile("<version>([0-9.]+)(?:-SNAPSHOT)?</version>")
            .matcher(Files.readString(ROOT.resolve("pom.xml")));
    assertThat(build.find()).isTrue();
    JsonNode chart = Chart.yaml(Files.readString(Chart.DIRECTORY.resolve("Chart.yaml")));
    assertThat(chart.path("appVersion").asText()).isEqualTo(build.group(1));
    assertThat(Files.readString(ROOT.resolve("cache-client/python/pyproject.toml")))
        .contains("version = \"" + build.group(1) + "\"");
  }
}
