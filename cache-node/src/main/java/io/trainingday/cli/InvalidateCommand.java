package io.trainingday.cli;

import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day invalidate}: some records are wrong. */
@Command(
    name = "invalidate",
    description = "Have the records of some samples made again; all others stay in the cache.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class InvalidateCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Parameters(index = "0", paramLabel = "NAME", description = "the data set")
  private String name = "";

  @Parameters(index = "1..*", arity = "1..*", paramLabel = "INDEX", description = "the samples")
  private long[] indices = {};

  @Mixin private NodeOptions node = new NodeOptions();

  @Override
  public Integer call() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    try (CacheAdmin admin = node.administer()) {
      long generation = admin.invalidate(name, indices);
      spec.commandLine().getOut().printf("data set '%s' is at generation %d%n", name, generation);
      return ExitCode.OK;
    }
  }
}
