package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code training-day explain}: where a sample is, and why it was missed. */
@Command(
    name = "explain",
    description = {
      "Show where a sample is, in which versions and variants, and why its last read missed.",
      "Reasons: cold (nobody had loaded it), refused (and why), evicted, expired, stamp, damaged,"
          + " owner-lost, version (changed since), fingerprint (there, but of another pipeline),"
          + " not-serving, unknown (what was known had to be forgotten). Nodes remember in memory:"
          + " the reason for the last 65,536 missed samples each, since their start."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  training-day explain imagenet 4711",
      "  training-day explain imagenet 4711 --json | jq -r .lastMissReason"
    })
final class ExplainCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "NAME", description = "the data set")
  private String name = "";

  @Parameters(index = "1", paramLabel = "INDEX", description = "the sample, from 0")
  private long index;

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException {
    node.checkIndex(index);
    try (CacheAdmin admin = node.administer()) {
      JsonNode answer = Output.MAPPER.readTree(admin.explain(name, index));
      output.print(answer, () -> ExplainText.of(answer));
      return answer.path("unanswered").isEmpty() ? Exit.OK.code() : Exit.UNREACHABLE.code();
    }
  }
}
