package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.TrainingCache;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code training-day status}: what a running node says of itself. */
@Command(
    name = "status",
    description = "Show what a running cache node holds and does.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class StatusCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--address",
      paramLabel = "ADDRESS",
      description =
          "unix:PATH of the node (default: TRAINING_DAY_ADDRESS, else the usual sockets of this"
              + " host)")
  private @Nullable String address;

  @Option(names = "--json", description = "print the node's answer as JSON")
  private boolean json;

  @Override
  public Integer call() throws JsonProcessingException {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    LogLevels.quiet();
    try (TrainingCache cache = connect(spec)) {
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

  private TrainingCache connect(CommandSpec command) {
    TrainingCache.Config.Builder config = TrainingCache.Config.builder();
    if (address != null) {
      config.address(address);
    }
    try {
      return TrainingCache.connect(config.build());
    } catch (IllegalArgumentException unusable) {
      throw new ParameterException(
          command.commandLine(), String.valueOf(unusable.getMessage()), unusable);
    }
  }
}
