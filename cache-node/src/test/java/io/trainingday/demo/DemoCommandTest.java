package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

final class DemoCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private final Path folder;

  DemoCommandTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void demo_pictures_printsTableAndWritesReport() throws IOException {
    Path images = TestPictures.folder(folder.resolve("images"), 10);
    Path report = folder.resolve("report.json");

    assertThat(
            run(
                "--images",
                images.toString(),
                "--no-cache",
                "--epochs=2",
                "--batch-size=8",
                "--report",
                report.toString()))
        .as(err.toString())
        .isZero();

    assertThat(out.toString())
        .startsWith("20 pictures in 2 classes from " + images)
        .contains("epoch       time  samples/s")
        .contains("test accuracy")
        .matches("[\\p{Print}\\n]*");
    JsonNode json = new ObjectMapper().readTree(report.toFile());
    assertThat(json.fieldNames())
        .toIterable()
        .containsExactly("epochs", "testAccuracy", "weightsSha256");
    assertThat(json.get("epochs")).hasSize(2);
    JsonNode second = json.get("epochs").get(1);
    assertThat(second.fieldNames())
        .toIterable()
        .containsExactly(
            "epoch",
            "seconds",
            "samplesPerSecond",
            "dataWaitSeconds",
            "hits",
            "misses",
            "originLoads",
            "loss");
    assertThat(second.get("epoch").intValue()).isEqualTo(2);
    assertThat(second.get("hits").isIntegralNumber()).isTrue();
    assertThat(second.get("originLoads").longValue()).isEqualTo(16);
    assertThat(second.get("loss").isDouble()).isTrue();
    assertThat(json.get("testAccuracy").doubleValue()).isBetween(0.0, 1.0);
    assertThat(json.get("weightsSha256").textValue()).matches("[0-9a-f]{64}");
  }

  @Test
  @ChecksAnswer("demo")
  void demo_json_isAllThatIsPrinted() throws IOException {
    Path images = TestPictures.folder(folder.resolve("images"), 10);

    assertThat(run("--images", images.toString(), "--no-cache", "--epochs=1", "--json"))
        .as(err.toString())
        .isZero();

    JsonNode answer = AnswerSchemas.check("demo", out.toString());
    assertThat(answer.at("/epochs/0/originLoads").asInt()).isEqualTo(16);
    assertThat(answer.at("/epochs/0/samplesPerSecond").asDouble()).isPositive();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--epochs=0 | --epochs=0 is outside 1..10,000",
        "--epochs=10001 | --epochs=10001 is outside 1..10,000",
        "--batch-size=-1 | --batch-size=-1 is outside 1..4,096",
        "--seed=abc | Invalid value for option '--seed': 'abc' is not a long",
        "--images=/nonexistent | --images=/nonexistent is not a folder",
        "--socket=/nonexistent/s | no cache node answers at --socket=/nonexistent/s; start one with",
        "--no-cache --socket=/s | --no-cache and --socket=/s exclude each other, leave one out",
        "--report=/nonexistent/r.json | --report=/nonexistent/r.json cannot be written"
      })
  void demo_wrongOption_isRefusedInWords(String option, String message) {
    assertThat(run(option.split(" "))).isEqualTo(2);
    assertThat(err.toString()).contains(message);
    assertThat(out.toString()).doesNotContain("epoch");
  }

  @Test
  void demo_brokenPicture_endsWithItsName() throws IOException {
    Path images = TestPictures.folder(folder, 10);
    for (int i = 0; i < 10; i++) {
      Files.writeString(images.resolve("blue/%02d.jpg".formatted(i)), "text");
    }

    assertThat(run("--images", images.toString(), "--epochs=1", "--no-cache")).isEqualTo(1);

    assertThat(err.toString())
        .startsWith("error: picture file=" + images.resolve("blue/"))
        .contains("cannot be decoded")
        .doesNotContain("\tat ");
  }

  private int run(String... arguments) {
    return new CommandLine(new DemoCommand())
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(arguments);
  }
}
