package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the README says is what the chart does. */
class ReadmeTest {
  private static final Path README = Path.of("README.md");
  private String text = "";

  @BeforeEach
  void read() throws IOException {
    text = Files.readString(README);
  }

  @Test
  void commands_haveValuesThatTheChartTakes() {
    String joined = text.replaceAll("\\\\\\R\\s*", "");
    List<String> commands =
        Pattern.compile("(?m)^helm (?:install|upgrade) .*$")
            .matcher(joined)
            .results()
            .map(MatchResult::group)
            .toList();
    assertThat(commands).hasSize(3);
    for (String command : commands) {
      Map<String, String> values = new TreeMap<>();
      values.put("image.repository", "reused/training-day");
      Matcher sets = Pattern.compile("--set (\\S+)").matcher(command);
      while (sets.find()) {
        for (String one : sets.group(1).split(",", -1)) {
          String[] pair = one.split("=", 2);
          values.put(pair[0], pair[1]);
        }
      }
      assertThat(Chart.render(values).workload().isMissingNode()).as(command).isFalse();
    }
  }

  @Test
  void memory_addsUpAsTheChartSays() {
    String samples =
        Chart.render(Map.of("image.repository", "r/training-day"))
            .nodes()
            .at("/metadata/annotations")
            .path("training-day/samples")
            .asText()
            .replace("MiB", "");
    Matcher sum =
        Pattern.compile(
                "(\\d+) MiB - heap (\\d+) - direct memory (\\d+) - slots (\\d+) - version keys (\\d+) - Ignite's own (\\d+) - reserve (\\d+) = (\\d+) MiB")
            .matcher(text);
    assertThat(sum.find()).isTrue();
    long left = Long.parseLong(sum.group(1));
    for (int i = 2; i < 8; i++) {
      left -= Long.parseLong(sum.group(i));
    }
    assertThat(sum.group(8)).isEqualTo(samples).isEqualTo(Long.toString(left));
  }

  @Test
  void values_thatAreNamedExist() throws IOException {
    JsonNode values = Chart.yaml(Files.readString(Chart.DIRECTORY.resolve("values.yaml")));
    Matcher rows =
        Pattern.compile("(?m)^\\| (`[a-z][A-Za-z.]+`(?:, `[a-z][A-Za-z.]+`)*) \\| [^|]* \\|")
            .matcher(text);
    int found = 0;
    while (rows.find()) {
      for (String name : rows.group(1).replace("`", "").split(", ", -1)) {
        if (name.contains(".")
            && !name.equals("image.repository")
            && !name.startsWith("training_")) {
          found++;
          assertThat(values.at("/" + name.replace('.', '/')).isMissingNode()).as(name).isFalse();
        }
      }
    }
    assertThat(found).isGreaterThan(4);
  }

  @Test
  void links_leadSomewhere() {
    Matcher links = Pattern.compile("\\]\\(([^)#:]+)\\)").matcher(text);
    int found = 0;
    while (links.find()) {
      found++;
      assertThat(README.resolveSibling(links.group(1))).exists();
    }
    assertThat(found).isGreaterThan(5);
  }
}
