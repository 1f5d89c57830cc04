package io.trainingday.bench.disk;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.bench.BenchRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DiskBenchTest {
  private final Path directory;

  DiskBenchTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void everyPath_keepsAndDeliversTheSamplesAndGivesARowForEachSize() throws Exception {
    Path disk = Files.createDirectory(directory.resolve("disk"));
    Path report = directory.resolve("report.json");

    BenchRun run =
        BenchRun.of(
            "disk",
            "--directory",
            disk.toString(),
            "--rounds",
            "1",
            "--slice",
            "10",
            "--fills",
            "1",
            "--working-set",
            "16MiB",
            "--report",
            report.toString());

    assertThat(run.exitCode()).as(run.err()).isZero();
    JsonNode json = new JsonMapper().readTree(report.toFile());
    List<String> rows = new ArrayList<>();
    json.at("/rows")
        .forEach(
            row -> {
              rows.add(row.at("/sampleBytes").asInt() + " " + row.at("/path").asText());
              assertThat(row.at("/bytesPerSecond").asDouble()).isPositive();
              assertThat(row.at("/batches").asLong()).isPositive();
            });
    assertThat(rows)
        .containsExactlyElementsOf(
            Stream.of("16384 ", "150528 ")
                .flatMap(size -> Arrays.stream(PathKind.values()).map(kind -> size + kind))
                .toList());
    assertThat(run.out()).contains("1 × 16,384 B", "1 × 150,528 B", "  disk-fill ", "  lmdb-get ");
    assertThat(disk).isEmptyDirectory();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--fills 0 | --fills=0 is outside 1..100",
        "--working-set 2GiB | --working-set=2GiB is outside 16MiB..1GiB",
        "--working-set 64g | --working-set=64g: write 64GiB",
        "--directory /nowhere | --directory=/nowhere is no directory that can be written to; give"
            + " one",
        "--paths memcpy,redis | --paths=redis is none of memcpy, raw-write, raw-read, disk-fill,"
            + " disk-read, ignite-put, ignite-get, lmdb-put, lmdb-get",
      })
  void option_wrong_isRefusedInWords(String option, String problem) {
    List<String> arguments = new ArrayList<>(List.of("disk"));
    arguments.addAll(Arrays.asList(option.split(" ", -1)));

    BenchRun run = BenchRun.of(arguments.toArray(String[]::new));

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).startsWith(problem + System.lineSeparator());
  }
}
