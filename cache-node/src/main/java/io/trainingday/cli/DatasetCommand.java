package io.trainingday.cli;

import io.trainingday.client.CacheAdmin;
import java.io.PrintWriter;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day dataset}: what a data set may have of the cache. */
@Command(
    name = "dataset",
    description = {
      "Change what a data set may have of the cache, while it is in use.",
      "Holds on all nodes, and for all who open the data set from now on."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class DatasetCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Parameters(index = "0", paramLabel = "NAME", description = "the data set")
  private String name = "";

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = "SETTING=VALUE",
      description =
          "policy=pin, lru, lfu or random; quota=, the most of a node's memory; guaranteed=, the part"
              + " of it that is kept for this one. The latter two are a size such as 64GiB or a"
              + " share such as 25%%")
  private Map<String, String> settings = new TreeMap<>();

  @Mixin private NodeOptions node = new NodeOptions();

  @Override
  public Integer call() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    try (CacheAdmin admin = node.administer()) {
      SortedMap<String, String> all = admin.configure(name, settings);
      PrintWriter out = spec.commandLine().getOut();
      out.printf("data set '%s' is kept with%n", name);
      all.forEach((setting, value) -> out.printf("  %s=%s%n", setting, value));
      return ExitCode.OK;
    }
  }
}
