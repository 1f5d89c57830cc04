package io.trainingday.cli;

import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code training-day dataset}: what a data set may have of the cache. */
@Command(
    name = "dataset",
    description = {
      "Change what a data set may have of the cache, while it is in use.",
      "Holds on all nodes, and for all who open the data set from now on."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Example:", "  training-day dataset imagenet policy=lru quota=50%%"})
final class DatasetCommand implements Callable<Integer> {
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

  @Mixin private Output output = new Output();

  @Override
  public Integer call() {
    try (CacheAdmin admin = node.administer()) {
      SortedMap<String, String> all = admin.configure(name, settings);
      output.print(new Kept(name, all), () -> text(all));
      return Exit.OK.code();
    }
  }

  /** The answer; the names of the components are its keys. */
  private record Kept(String dataset, SortedMap<String, String> settings) {}

  private String text(SortedMap<String, String> all) {
    StringBuilder text = new StringBuilder("data set '%s' is kept with".formatted(name));
    all.forEach((setting, value) -> text.append("%n  %s=%s".formatted(setting, value)));
    return text.toString();
  }
}
