package io.trainingday.cli;

import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code training-day invalidate}: some records are wrong. */
@Command(
    name = "invalidate",
    description = "Have the records of some samples made again; all others stay in the cache.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Example:", "  training-day invalidate imagenet 17 4711"})
final class InvalidateCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "NAME", description = "the data set")
  private String name = "";

  @Parameters(index = "1..*", arity = "1..*", paramLabel = "INDEX", description = "the samples")
  private long[] indices = {};

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Consent consent = new Consent();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() {
    for (long index : indices) {
      node.checkIndex(index);
    }
    try (CacheAdmin admin = node.administer()) {
      consent.require(Published.consequence(indices.length, name));
      Published published = new Published(name, admin.invalidate(name, indices));
      output.print(published, published::text);
      return Exit.OK.code();
    }
  }
}
