package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code training-day datasets}: what the grid keeps. */
@Command(
    name = "datasets",
    description = "Show all data sets of the grid, and what of them is in memory or on disk.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class DatasetsCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Mixin private NodeOptions node = new NodeOptions();

  @Option(names = "--json", description = "print the grid's answer as JSON")
  private boolean json;

  @Override
  public Integer call() throws JsonProcessingException {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    try (CacheAdmin admin = node.administer()) {
      JsonMapper mapper = new JsonMapper();
      JsonNode datasets = mapper.readTree(admin.datasets());
      spec.commandLine()
          .getOut()
          .println(
              json
                  ? mapper.writerWithDefaultPrettyPrinter().writeValueAsString(datasets)
                  : DatasetsText.of(datasets));
      return ExitCode.OK;
    }
  }
}
