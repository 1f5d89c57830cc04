package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.each;
import static io.trainingday.k8s.Manifests.name;
import static io.trainingday.k8s.Manifests.named;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example Jobs: they would be taken, and fit the chart that serves them. */
class ExamplesTest {
  private static final Path DIRECTORY = Path.of("examples");
  private static Manifests examples = new Manifests(List.of());
  private static Manifests chart = new Manifests(List.of());

  @BeforeAll
  static void read(@TempDir Path work) throws IOException {
    List<JsonNode> all = new ArrayList<>();
    try (Stream<Path> files = Files.list(DIRECTORY)) {
      for (Path file : files.sorted().toList()) {
        all.addAll(Chart.documents(Files.readString(file)));
      }
    }
    examples = new Manifests(all);
    chart = Chart.render(work, Chart.MODES.resolve("persistent-volume-values.yaml"));
  }

  @Test
  void objects_areAsTheModelsOfKubernetesSay() {
    assertThat(examples.of("Job"))
        .extracting(Manifests::name)
        .containsExactlyInAnyOrder(
            "example-python", "example-java", "example-ddp", "example-warm-up");
    for (JsonNode object : examples.all()) {
      assertThat(KubernetesModels.problem(object)).as(name(object)).isEmpty();
    }
  }

  @Test
  void pods_areRestricted() {
    for (JsonNode pod : examples.pods()) {
      assertThat(PodSecurity.violations(PodSecurity.Level.RESTRICTED, pod.path("spec"))).isEmpty();
    }
  }

  @Test
  void pods_mountTheClaimOfTheChartWhereTheClientLooks() {
    JsonNode claim = chart.of("PersistentVolumeClaim").get(0);
    JsonNode nodes = chart.nodes().path("spec");
    String lane = named(nodes.at("/containers/0/volumeMounts"), "lane").path("mountPath").asText();
    for (JsonNode pod : examples.pods()) {
      JsonNode spec = pod.path("spec");
      JsonNode trainer = named(spec.path("containers"), "trainer");
      JsonNode volume = named(spec.path("volumes"), "training-day");
      assertThat(volume.at("/persistentVolumeClaim/claimName").asText()).isEqualTo(name(claim));
      assertThat(named(trainer.path("volumeMounts"), "training-day").path("mountPath").asText())
          .isEqualTo(lane);
      assertThat(spec.at("/securityContext/supplementalGroups")).hasSize(1);
      assertThat(spec.at("/securityContext/supplementalGroups/0"))
          .isEqualTo(nodes.at("/securityContext/supplementalGroups/0"));
      // They need not be the node's user, and show it.
      assertThat(spec.at("/securityContext/runAsUser").asInt())
          .isPositive()
          .isNotEqualTo(nodes.at("/securityContext/runAsUser").asInt());
      JsonNode shm = named(spec.path("volumes"), "shm");
      assertThat(shm.at("/emptyDir/medium").asText()).isEqualTo("Memory");
      assertThat(shm.at("/emptyDir/sizeLimit").asText()).isNotEmpty();
      assertThat(named(trainer.path("volumeMounts"), "shm").path("mountPath").asText())
          .isEqualTo("/dev/shm");
      // As the chart's nodes by default, so that each trainer has one on its host.
      JsonNode byDefault =
          Chart.render(Map.of("image.repository", "r/training-day")).nodes().path("spec");
      assertThat(spec.path("nodeSelector")).isEqualTo(byDefault.path("nodeSelector"));
      assertThat(spec.path("tolerations")).isEqualTo(byDefault.path("tolerations"));
    }
  }

  @Test
  void pods_takeTheClientFromTheNodesImage() throws IOException {
    String dockerfile = Files.readString(Path.of("Dockerfile"));
    for (JsonNode pod : examples.pods()) {
      JsonNode client = named(pod.at("/spec/initContainers"), "client");
      assertThat(client.path("image").asText()).endsWith("/training-day:" + chartVersion());
      String from = client.at("/command/2").asText();
      assertThat(from).startsWith("/opt/training-day/client/");
      String directory = from.substring("/opt/training-day/".length());
      // Copied into the volume, so it is there under its own name.
      String copied = "/client/" + directory.substring("client/".length());
      JsonNode trainer = named(pod.at("/spec/containers"), "trainer");
      assertThat(named(client.path("volumeMounts"), "client").path("mountPath"))
          .isEqualTo(named(trainer.path("volumeMounts"), "client").path("mountPath"));
      if (directory.endsWith("java")) {
        assertThat(trainer.path("command")).map(JsonNode::asText).contains("-cp", copied + "/*");
      } else {
        assertThat(named(trainer.path("env"), "PYTHONPATH").path("value").asText())
            .isEqualTo(copied);
      }
      assertThat(dockerfile)
          .satisfiesAnyOf(
              text -> assertThat(text).contains(directory + "/\n"),
              text -> assertThat(text).contains("/" + directory + "\n"));
    }
  }

  @Test
  void volumes_areThere() {
    Set<String> maps =
        examples.of("ConfigMap").stream().map(Manifests::name).collect(Collectors.toSet());
    for (JsonNode pod : examples.pods()) {
      List<String> volumes =
          each(pod.at("/spec/volumes")).map(volume -> volume.path("name").asText()).toList();
      for (String list : List.of("initContainers", "containers")) {
        for (JsonNode container : pod.at("/spec/" + list)) {
          assertThat(volumes)
              .containsAll(
                  each(container.path("volumeMounts")).map(m -> m.path("name").asText()).toList());
        }
      }
      assertThat(maps)
          .containsAll(
              pod.findValues("configMap").stream().map(m -> m.path("name").asText()).toList());
      String program = last(named(pod.at("/spec/containers"), "trainer").path("command"));
      String file = program.substring(program.lastIndexOf('/') + 1);
      assertThat(examples.of("ConfigMap")).anyMatch(map -> map.path("data").has(file));
    }
  }

  @Test
  void javaSource_compilesWithTheClient(@TempDir Path work) throws IOException {
    Path source = work.resolve("Train.java");
    Files.writeString(
        source, examples.one("ConfigMap", "example-java").at("/data/Train.java").asText());
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
    try (StandardJavaFileManager files =
        compiler.getStandardFileManager(problems, null, StandardCharsets.UTF_8)) {
      compiler
          .getTask(
              null,
              files,
              problems,
              List.of(
                  "-Xlint:all",
                  "-proc:none",
                  "-d",
                  work.toString(),
                  "-cp",
                  System.getProperty("java.class.path")),
              null,
              files.getJavaFileObjects(source))
          .call();
    }
    assertThat(problems.getDiagnostics())
        .filteredOn(problem -> problem.getSource() != null)
        .extracting(Diagnostic::toString)
        .isEmpty();
    assertThat(work.resolve("Train.class")).exists();
  }

  @Test
  @Tag("python")
  void pythonSources_compile(@TempDir Path work) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("python3", "-m", "py_compile"));
    for (JsonNode map : examples.of("ConfigMap")) {
      for (String file : Manifests.texts(map.path("data")).keySet()) {
        if (file.endsWith(".py")) {
          Path source = work.resolve(name(map) + "-" + file);
          Files.writeString(source, map.path("data").path(file).asText());
          command.add(source.toString());
        }
      }
    }
    assertThat(command).hasSize(3 + 4);
    Process compiler = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(compiler.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(compiler.waitFor()).as(said).isZero();
  }

  private static String last(JsonNode array) {
    return array.path(array.size() - 1).asText();
  }

  private static String chartVersion() throws IOException {
    return Chart.yaml(Files.readString(Chart.DIRECTORY.resolve("Chart.yaml")))
        .path("appVersion")
        .asText();
  }
}
