package io.trainingday.k8s;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.marcnuri.helm.Helm;
import com.marcnuri.helm.InstallCommand;
import com.marcnuri.helm.LintResult;
import com.marcnuri.helm.TemplateCommand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The chart, rendered by Helm as `helm install cache -n caches` would, without a cluster. */
final class Chart {
  static final Path DIRECTORY = Path.of("training-day");
  static final Path MODES = DIRECTORY.resolve("ci");
  static final String RELEASE = "demo";
  static final String NAMESPACE = "caches";

  private static final String KUBERNETES = "1.33.0";
  private static final YAMLMapper YAML = new YAMLMapper();

  private Chart() {}

  /** The values files of all modes. */
  static Stream<Path> modes() throws IOException {
    try (Stream<Path> files = Files.list(MODES)) {
      return files.sorted().toList().stream();
    }
  }

  /**
   * All objects of a release, the pod of `helm test` included.
   *
   * @param work a directory that is empty, for a copy of the chart
   */
  static Manifests render(Path work, Path values) {
    return render(template(withTestAsObject(work)).withValuesFile(values));
  }

  /** The objects of a release with single values, those of hooks left out. */
  static Manifests render(Map<String, String> values) {
    TemplateCommand template = template(DIRECTORY);
    values.forEach(template::set);
    return render(template);
  }

  /** The objects of a release with a values file and single values over it, hooks left out. */
  static Manifests render(Path values, Map<String, String> single) {
    TemplateCommand template = template(DIRECTORY).withValuesFile(values);
    single.forEach(template::set);
    return render(template);
  }

  private static Manifests render(TemplateCommand template) {
    return new Manifests(documents(template.call()));
  }

  private static TemplateCommand template(Path chart) {
    return new Helm(chart)
        .template()
        .withName(RELEASE)
        .withNamespace(NAMESPACE)
        .withKubeVersion(KUBERNETES);
  }

  /** What a person reads after the install. */
  static String notes(Path values) {
    return notes(values, Map.of());
  }

  /** The same with single values over the file's. */
  static String notes(Path values, Map<String, String> single) {
    InstallCommand install =
        Helm.install(DIRECTORY.toString())
            .clientOnly()
            .dryRun()
            .withName(RELEASE)
            .withNamespace(NAMESPACE)
            .withKubeVersion(KUBERNETES)
            .withValuesFile(values);
    single.forEach(install::set);
    String output = install.call().getOutput();
    return output.substring(output.indexOf("NOTES:"));
  }

  /** Lints with these values as the chart's own: the command takes none. */
  static LintResult lint(Path work, Path values) throws IOException {
    Path copy = copy(work);
    Path own = copy.resolve("values.yaml");
    JsonNode all = YAML.readTree(own.toFile());
    YAML.readerForUpdating(all).readValue(values.toFile());
    YAML.writeValue(own.toFile(), all);
    return new Helm(copy).lint().strict().call();
  }

  /** Helm leaves hooks out of what it renders, so the test's pod stops being one. */
  private static Path withTestAsObject(Path work) {
    try {
      Path copy = copy(work);
      Path test = copy.resolve("templates/tests/serves.yaml");
      String hook = Files.readString(test);
      String object = hook.replaceAll("(?m)^    helm\\.sh/hook.*\\R", "");
      if (object.equals(hook)) {
        throw new IllegalStateException(test + " is no hook");
      }
      Files.writeString(test, object);
      return copy;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path copy(Path work) throws IOException {
    Path copy = work.resolve(DIRECTORY.getFileName());
    try (Stream<Path> files = Files.walk(DIRECTORY)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.copy(file, copy.resolve(DIRECTORY.relativize(file)));
      }
    }
    return copy;
  }

  /** The documents of a YAML text, but the empty ones. */
  static List<JsonNode> documents(String yaml) {
    try (MappingIterator<JsonNode> all = YAML.readerFor(JsonNode.class).readValues(yaml)) {
      List<JsonNode> documents = new ArrayList<>();
      all.forEachRemaining(documents::add);
      documents.removeIf(one -> !one.isObject());
      return documents;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One YAML document. */
  static JsonNode yaml(String text) {
    try {
      return YAML.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
