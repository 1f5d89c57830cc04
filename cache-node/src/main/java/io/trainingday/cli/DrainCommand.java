package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.client.CacheAdmin;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day drain}: a node hands over what it can, and stops. */
@Command(
    name = "drain",
    description =
        "Have a node hand over what other nodes and disks can take, send its trainers to other"
            + " nodes, and stop; as SIGTERM does. What is lost with it is said, and is no failure:"
            + " with one copy, in memory alone, nothing can be handed over.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class DrainCommand implements Callable<Integer> {
  @Option(
      names = "--stay",
      description = "do not stop then: the node stays, not ready and without trainers, until it is")
  private boolean stay;

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Consent consent = new Consent();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException {
    try (CacheAdmin admin = node.administer()) {
      consent.require(
          stay ? "takes the node away from trainers until it is started again" : "stops the node");
      ObjectNode report = (ObjectNode) Output.MAPPER.readTree(admin.drain(!stay));
      report.put("stops", !stay);
      output.print(report, () -> text(report));
      return Exit.OK.code();
    }
  }

  private String text(JsonNode report) {
    StringBuilder text = new StringBuilder();
    int without = report.path("partitionsWithoutCopy").asInt();
    text.append(
        "handed over in %.1f s: %s"
            .formatted(
                report.path("millis").asLong() / 1_000.0,
                report.path("otherNodes").asInt() == 0
                    ? "no other node is there to take anything"
                    : without == 0
                        ? "other nodes have all that has backups"
                        : without + " partitions have no whole copy elsewhere"));
    for (JsonNode lost : report.path("lost")) {
      text.append(
          "%n%s: %,d records are %s, to be loaded again (%s)"
              .formatted(
                  lost.path("dataset").asText(),
                  lost.path("records").asLong(),
                  stay ? "lost when it stops" : "lost",
                  lost.path("why").asText()));
    }
    int staying = report.path("trainersStaying").asInt();
    if (staying > 0) {
      text.append("%n%d trainers have not gone to another node".formatted(staying));
    }
    return text.append(System.lineSeparator())
        .append(stay ? "the node stays" : "the node stops")
        .toString();
  }
}
