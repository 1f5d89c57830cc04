package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.named;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Pods of the example Jobs, attached to a release as its notes say. */
final class TrainerPods {
  /** The Secret with a trainer's token, and its key, as the notes call them. */
  static final String SECRET = "training-day-trainer";

  static final String KEY = "token";

  private static final Path EXAMPLES = Path.of("examples");
  private static final String VOLUME = "training-day";

  private final String notes;
  private final List<JsonNode> snippets = new ArrayList<>();

  /**
   * Follows the notes of an install.
   *
   * @param notes all of them
   */
  TrainerPods(String notes) {
    this.notes = notes;
    // Those that follow say what is to be had beside.
    Matcher found = Pattern.compile("(?m)^   spec:\\R(?:   .*\\R)*").matcher(notes);
    while (found.find()) {
      snippets.add(Chart.yaml(found.group()).path("spec"));
    }
    if (snippets.isEmpty()) {
      throw new AssertionError("no snippet in " + notes);
    }
  }

  /** The objects of all example files. */
  static List<JsonNode> examples() throws IOException {
    List<JsonNode> all = new ArrayList<>();
    try (Stream<Path> files = Files.list(EXAMPLES)) {
      for (Path file : files.sorted().toList()) {
        all.addAll(Chart.documents(Files.readString(file)));
      }
    }
    return all;
  }

  /** The pod of an example's Job as it is, for namespaces that have the claim. */
  static ObjectNode asItIs(String job) throws IOException {
    return new Manifests(examples()).one("Job", job).at("/spec/template").deepCopy();
  }

  /** The pod of an example's Job with what the notes say in the place of its claim. */
  ObjectNode attached(String job) throws IOException {
    ObjectNode pod = asItIs(job);
    for (JsonNode snippet : snippets) {
      snippet.at("/containers/0/env").forEach(trainer(pod).withArray("/env")::add);
    }
    JsonNode first = snippets.get(0);
    if (first.has("volumes")) {
      volume(pod).removeAll().setAll((ObjectNode) named(first.path("volumes"), VOLUME));
      inGroups(pod, first.at("/securityContext/supplementalGroups"));
    } else {
      remove(pod.at("/spec/volumes"));
      remove(trainer(pod).path("volumeMounts"));
    }
    return pod;
  }

  /** Changes such a pod as the notes say of a tenant. */
  void moveToTenant(ObjectNode pod, String tenant) {
    Matcher said =
        Pattern.compile(
                "Trainers of tenant %s have supplementalGroups: (\\[.*?])\\s*and hostPath: (\\{.*?})"
                    .formatted(tenant))
            .matcher(notes);
    if (!said.find()) {
      throw new AssertionError("nothing of tenant " + tenant + " in " + notes);
    }
    inGroups(pod, Chart.yaml(said.group(1)));
    volume(pod).set("hostPath", Chart.yaml(said.group(2)));
  }

  private static void inGroups(ObjectNode pod, JsonNode groups) {
    pod.withObject("/spec/securityContext").set("supplementalGroups", groups);
  }

  /** Its volume for the lane. */
  static ObjectNode volume(ObjectNode pod) {
    return (ObjectNode) named(pod.at("/spec/volumes"), VOLUME);
  }

  private static ObjectNode trainer(ObjectNode pod) {
    return (ObjectNode) named(pod.at("/spec/containers"), "trainer");
  }

  private static void remove(JsonNode array) {
    Iterator<JsonNode> all = array.iterator();
    while (all.hasNext()) {
      if (all.next().path("name").asText().equals(VOLUME)) {
        all.remove();
      }
    }
  }
}
