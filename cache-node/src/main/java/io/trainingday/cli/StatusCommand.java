package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.client.TrainingCache;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code training-day status}: what a running node says of itself. */
@Command(
    name = "status",
    description = "Show what a running cache node holds and does.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  training-day status",
      "  training-day status --json | jq .memory.usedBytes"
    })
final class StatusCommand implements Callable<Integer> {
  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException {
    try (TrainingCache cache = node.attach()) {
      JsonNode answer = Output.MAPPER.readTree(cache.nodeStatus());
      output.print(answer, () -> StatusText.of(answer));
      return Exit.OK.code();
    }
  }
}
