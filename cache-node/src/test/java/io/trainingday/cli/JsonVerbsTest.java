package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/**
 * Every verb there is has {@code --json}, a schema, and a test that holds its answers against it.
 */
class JsonVerbsTest {
  /** Verbs that answer nothing that JSON could hold, and why. */
  private static final Map<String, String> WITHOUT_JSON =
      Map.of(
          "completion", "its answer is a script for a shell",
          "grid-node", "is hidden: `grid` starts it, and hears one word from it");

  private static final List<String> TESTS =
      Stream.of(
              "cli.JsonAnswersTest",
              "cli.GridCommandIT",
              "cli.VerifyIT",
              "demo.DemoCommandTest",
              "bench.cold.ColdBenchTest",
              "bench.disk.DiskBenchTest",
              "bench.local.LocalBenchTest",
              "bench.peer.PeerBenchTest",
              "bench.plan.PlanBenchTest",
              "bench.policy.PolicyBenchTest",
              "bench.pressure.PressureBenchTest",
              "bench.publish.PublishBenchTest")
          .map("io.trainingday."::concat)
          .toList();

  @Test
  void everyVerb_hasASchemaAndATest_orAReason() throws Exception {
    Map<String, CommandLine> verbs = verbs();
    Set<String> answering = new TreeSet<>(verbs.keySet());
    answering.removeAll(WITHOUT_JSON.keySet());

    assertThat(verbs).containsKeys("serve", "config reference", "bench plan", "demo");
    assertThat(verbs).containsKeys(WITHOUT_JSON.keySet().toArray(String[]::new));
    verbs.forEach(
        (verb, command) -> {
          if (answering.contains(verb)) {
            assertThat(command.getCommandSpec().optionsMap()).as(verb).containsKey("--json");
            assertThat(Main.class.getResource("schema/" + AnswerSchemas.file(verb)))
                .as(verb)
                .isNotNull();
          }
        });
    assertThat(testedVerbs()).isEqualTo(answering);
  }

  @Test
  void everySchema_isOneOfAVerb() throws Exception {
    Path folder = Path.of(Main.class.getResource("schema/version.json").toURI()).getParent();
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .allMatch(verbs().keySet().stream().map(AnswerSchemas::file).toList()::contains);
    }
  }

  @Test
  void verbsWithoutJson_refuseIt() {
    verbs()
        .forEach(
            (verb, command) ->
                assertThat(command.getCommandSpec().optionsMap().containsKey("--json"))
                    .as(verb)
                    .isNotEqualTo(WITHOUT_JSON.containsKey(verb)));

    CommandLineRun run = CommandLineRun.of("completion", "--json");

    assertThat(run.exitCode()).isEqualTo(Exit.USAGE.code());
    assertThat(run.out()).isEmpty();
    assertThat(run.err())
        .startsWith("error: Unknown option: '--json'")
        .contains("`training-day completion --help`");
  }

  /** Those that do something; others only hold them together. */
  private static Map<String, CommandLine> verbs() {
    Map<String, CommandLine> verbs = new TreeMap<>();
    List<CommandLine> groups = new ArrayList<>(List.of(Main.tree()));
    while (!groups.isEmpty()) {
      for (CommandLine command : groups.remove(0).getSubcommands().values()) {
        if (command.getSubcommands().isEmpty()) {
          String name = command.getCommandSpec().qualifiedName();
          verbs.put(name.substring("training-day ".length()), command);
        } else {
          groups.add(command);
        }
      }
    }
    return verbs;
  }

  private static Set<String> testedVerbs() throws ClassNotFoundException {
    List<Method> methods = new ArrayList<>();
    for (String test : TESTS) {
      methods.addAll(Arrays.asList(Class.forName(test).getDeclaredMethods()));
    }
    return methods.stream()
        .filter(method -> method.isAnnotationPresent(Test.class))
        .filter(method -> method.isAnnotationPresent(ChecksAnswer.class))
        .flatMap(method -> Arrays.stream(method.getAnnotation(ChecksAnswer.class).value()))
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
