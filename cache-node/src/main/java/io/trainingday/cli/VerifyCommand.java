package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import io.trainingday.config.DataSize;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code training-day verify}: are all records sound and where they belong? */
@Command(
    name = "verify",
    description = {
      "Have every cache node read all of its records, in memory and on disk, and hold them against their"
          + " checksums and placement.",
      "Exit code 1 when a record is damaged or a copy is missing. Changes nothing: a damaged record"
          + " is replaced when it is read, a missing copy costs nothing until a node is lost.",
      "Copies on their way to a node that has just come are counted and not missing."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  training-day verify --max-rate 64MiB",
      "  training-day verify --json | jq '.problems[]'"
    })
final class VerifyCommand implements Callable<Integer> {
  private static final long LOOK_MILLIS = 500;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--max-rate",
      paramLabel = "SIZE",
      defaultValue = "256MiB",
      description = "what each node reads in a second at most (default: ${DEFAULT-VALUE})")
  private String maxRate = "";

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException, InterruptedException {
    long bytesPerSecond = rate();
    JsonNode found;
    try (CacheAdmin admin = node.administer()) {
      admin.verify(bytesPerSecond);
      long shown = -1;
      do {
        TimeUnit.MILLISECONDS.sleep(shown < 0 ? LOOK_MILLIS / 10 : LOOK_MILLIS);
        found = Output.MAPPER.readTree(admin.verified());
        shown = show(found, shown);
      } while (runs(found));
    }
    JsonNode answer = found;
    output.print(answer, () -> text(answer));
    if (!answer.path("sound").asBoolean()) {
      return Exit.WRONG.code();
    }
    return answer.path("finished").asBoolean() ? Exit.OK.code() : Exit.UNREACHABLE.code();
  }

  /** Until every node that answers is done, or has failed. */
  private static boolean runs(JsonNode found) {
    return found
        .path("nodes")
        .valueStream()
        .anyMatch(
            one -> !one.path("finished").asBoolean() && one.path("failure").asText().isEmpty());
  }

  private long show(JsonNode found, long shown) {
    long all = found.path("partitions").asLong();
    long twentieth = all == 0 ? 0 : 20 * found.path("partitionsDone").asLong() / all;
    if (twentieth != shown && runs(found)) {
      PrintWriter err = command().commandLine().getErr();
      err.println(
          String.format(
              Locale.ROOT,
              "%d %% of the partitions, %s read",
              5 * twentieth,
              StatusText.bytes(found.path("bytes"))));
      err.flush();
    }
    return twentieth;
  }

  private static String text(JsonNode found) {
    List<String> lines = new ArrayList<>();
    lines.add(
        String.format(
            Locale.ROOT,
            "%,d records in memory and %,d on disk (%s) on %d nodes: %,d damaged, %,d copies missing,"
                + " %,d on their way, %,d on a disk where they do not belong, %,d that nobody can ask for any more",
            found.path("memoryRecords").asLong(),
            found.path("diskRecords").asLong(),
            StatusText.bytes(found.path("bytes")),
            found.path("nodes").size(),
            found.path("damaged").asLong(),
            found.path("missingCopies").asLong(),
            found.path("copiesUnderWay").asLong(),
            found.path("misplaced").asLong(),
            found.path("unreachable").asLong()));
    for (JsonNode problem : found.path("problems")) {
      lines.add(
          String.format(
              Locale.ROOT,
              "  %s: sample %d of '%s', generation %d, variant %d, %s on %s",
              problem.path("problem").asText(),
              problem.path("index").asLong(),
              problem.path("dataset").asText(),
              problem.path("generation").asLong(),
              problem.path("variant").asLong(),
              problem.path("tier").asText(),
              problem.path("host").asText()));
    }
    for (JsonNode one : found.path("nodes")) {
      String failure = one.path("failure").asText();
      if (!failure.isEmpty()) {
        lines.add("  " + one.path("host").asText() + " did not finish: " + failure);
      }
    }
    for (JsonNode silent : found.path("unanswered")) {
      lines.add(
          "  %s does not answer: %s"
              .formatted(silent.path("host").asText(), silent.path("why").asText()));
    }
    return String.join(System.lineSeparator(), lines);
  }

  private long rate() {
    try {
      return DataSize.parse(maxRate).bytes();
    } catch (IllegalArgumentException wrong) {
      throw new ParameterException(
          command().commandLine(),
          "--max-rate=%s: %s".formatted(maxRate, wrong.getMessage()),
          wrong);
    }
  }

  private CommandSpec command() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec;
  }
}
