package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.TrainingCache;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code training-day status}: what a running node says of itself. */
@Command(
    name = "status",
    description = "Show what a running cache node holds and does.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class StatusCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Mixin private NodeOptions node = new NodeOptions();

  @Option(names = "--json", description = "print the node's answer as JSON")
  private boolean json;

  @Override
  public Integer call() throws JsonProcessingException {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    try (TrainingCache cache = node.attach()) {
      JsonMapper mapper = new JsonMapper();
      var status = mapper.readTree(cache.nodeStatus());
      spec.commandLine()
          .getOut()
          .println(
              json
                  ? mapper.writerWithDefaultPrettyPrinter().writeValueAsString(status)
                  : StatusText.of(status));
      return ExitCode.OK;
    }
  }
}
