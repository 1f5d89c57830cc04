package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code training-day datasets}: what the grid keeps. */
@Command(
    name = "datasets",
    description = "Show all data sets of the grid, and what of them is in memory or on disk.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Example:", "  training-day datasets --json | jq -r '.[].name'"})
final class DatasetsCommand implements Callable<Integer> {
  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException {
    try (CacheAdmin admin = node.administer()) {
      JsonNode answer = Output.MAPPER.readTree(admin.datasets());
      output.print(answer, () -> DatasetsText.of(answer));
      return Exit.OK.code();
    }
  }
}
