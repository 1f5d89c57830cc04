package io.trainingday.cli;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.TrainingCache;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How a verb finds the node it speaks to. */
final class NodeOptions {
  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  @Option(
      names = "--address",
      paramLabel = "ADDRESS",
      description =
          "unix:PATH or tcp://HOST:PORT of the node (default: TRAINING_DAY_ADDRESS, else the usual"
              + " sockets of this host); TRAINING_DAY_TOKEN and TRAINING_DAY_TLS_TRUST are for the"
              + " latter")
  private @Nullable String address;

  /** Attaches as a trainer. */
  TrainingCache attach() {
    return with(TrainingCache::connect);
  }

  /** Connects as an administrator. */
  CacheAdmin administer() {
    return with(CacheAdmin::connect);
  }

  /** Refuses what no node would understand. */
  void checkIndex(long index) {
    if (index < 0) {
      throw new ParameterException(
          command().commandLine(), "index=%d, expected a number of 0 or more".formatted(index));
    }
  }

  private <T> T with(Function<TrainingCache.Config, T> connect) {
    LogLevels.quiet();
    TrainingCache.Config.Builder config = TrainingCache.Config.builder();
    if (address != null) {
      config.address(address);
    }
    try {
      return connect.apply(config.build());
    } catch (IllegalArgumentException unusable) {
      throw new ParameterException(
          command().commandLine(), String.valueOf(unusable.getMessage()), unusable);
    }
  }

  private CommandSpec command() {
    if (command == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return command;
  }
}
