package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

final class DemoIT {
  private final Path folder;

  DemoIT(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void demo_embeddedNode_loadsOnceAndTrainsAsWithoutCache() throws IOException {
    JsonNode cached = demo("--epochs=3");
    JsonNode plain = demo("--epochs=3", "--no-cache");

    assertThat(column(cached, "originLoads")).containsExactly("1437", "0", "0");
    assertThat(column(cached, "misses")).containsExactly("1437", "0", "0");
    assertThat(column(cached, "hits")).containsExactly("0", "1437", "1437");
    assertThat(column(plain, "originLoads")).containsExactly("1437", "1437", "1437");
    assertThat(column(plain, "hits")).containsExactly("0", "0", "0");
    assertThat(column(cached, "loss")).isEqualTo(column(plain, "loss"));
    assertThat(cached.get("weightsSha256")).isEqualTo(plain.get("weightsSha256"));
    assertThat(cached.get("testAccuracy")).isEqualTo(plain.get("testAccuracy"));
  }

  @Test
  void demo_secondRunOnOneNode_startsWarm() throws IOException {
    String images = TestPictures.folder(folder.resolve("images"), 20).toString();
    try (CacheNode node = CacheNode.launch(TestNodes.settings(folder).build())) {
      String socket = node.socket().toString();
      JsonNode first = demo("--images", images, "--socket", socket, "--epochs=1");
      JsonNode second = demo("--images", images, "--socket", socket, "--epochs=1", "--seed=7");
      assertThat(column(first, "originLoads")).containsExactly("32");
      assertThat(column(second, "originLoads")).containsExactly("0");
      assertThat(column(second, "hits")).containsExactly("32");

      Files.delete(Path.of(images, "red", "00.png"));
      JsonNode changed = demo("--images", images, "--socket", socket, "--epochs=1");
      assertThat(column(changed, "originLoads"))
          .as("another content is another data set")
          .containsExactly("31");
    }
  }

  @Test
  void demo_brokenPicture_endsWithItsNameAndIndex() throws IOException {
    Path images = TestPictures.folder(folder.resolve("images"), 10);
    for (int i = 0; i < 10; i++) {
      Files.writeString(images.resolve("blue/%02d.jpg".formatted(i)), "text");
    }
    StringWriter err = new StringWriter();

    assertThat(command(err).execute("--images", images.toString())).isEqualTo(1);

    assertThat(err.toString())
        .matches(
            "error: sample index=\\d+ of data set 'demo-pictures-train-[0-9a-f]{16}' could not be"
                + " loaded: java.io.IOException: picture file="
                + images.resolve("blue/")
                + ".* cannot be decoded .*; repair or remove it\n");
  }

  private JsonNode demo(String... options) throws IOException {
    Path report = folder.resolve("report.json");
    List<String> arguments = new ArrayList<>(List.of("--report", report.toString()));
    arguments.addAll(List.of(options));
    StringWriter err = new StringWriter();
    assertThat(command(err).execute(arguments.toArray(String[]::new))).as(err.toString()).isZero();
    return new ObjectMapper().readTree(report.toFile());
  }

  private static CommandLine command(StringWriter err) {
    return new CommandLine(new DemoCommand())
        .setOut(new PrintWriter(new StringWriter()))
        .setErr(new PrintWriter(err));
  }

  private static List<String> column(JsonNode report, String name) {
    List<String> values = new ArrayList<>();
    report.get("epochs").forEach(epoch -> values.add(epoch.get(name).asText()));
    return values;
  }
}
