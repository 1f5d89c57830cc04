package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day publish}: a data set changed. */
@Command(
    name = "publish",
    description = {
      "Say that a data set changed, so that no trainer gets its old samples any more.",
      "Without a file all of its samples did, which is asked about first; with one, the others stay"
          + " in the cache."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  training-day publish imagenet --changed changed.txt",
      "  training-day publish imagenet --manifest manifest.csv",
      "  training-day publish imagenet --source-length 1281167 --yes"
    })
final class PublishCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "NAME", description = "the data set")
  private String name = "";

  @ArgGroup private What what = new What();

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Consent consent = new Consent();

  @Mixin private Output output = new Output();

  /** One of both, or none. */
  private static final class What {
    @Option(
        names = "--changed",
        paramLabel = "FILE",
        description = "the samples that changed: an index a line")
    private @Nullable Path changed;

    @Option(
        names = "--manifest",
        paramLabel = "FILE",
        description =
            "what all samples are made of: `index,stamp` a line, the stamp being modification time"
                + " and size, an etag or a checksum. Those changed whose stamp is not as published"
                + " last")
    private @Nullable Path manifest;

    @ArgGroup(exclusive = false)
    private @Nullable Source source;
  }

  /** What the data set is made of from now on. */
  private static final class Source {
    @Option(
        names = "--source-length",
        required = true,
        paramLabel = "SAMPLES",
        description = "all changed, and there are so many samples from now on")
    private long length;

    @Option(
        names = "--source-digest",
        paramLabel = "TEXT",
        description = "what they are made of, as trainers state it (default: nothing stated)")
    private String digest = "";
  }

  @Override
  public Integer call() throws JsonProcessingException {
    SampleFile changed = what.changed == null ? null : SampleFile.ofIndices(what.changed);
    SampleFile manifest = what.manifest == null ? null : SampleFile.ofStamps(what.manifest);
    Source source = what.source;
    if (source != null && source.length < 0) {
      throw new ParameterException(
          command(), "--source-length=%d, allowed: 0 or more".formatted(source.length));
    }
    try (CacheAdmin admin = node.administer()) {
      if (changed == null && manifest == null && !consent.isGiven()) {
        consent.require(Published.consequence(samples(admin), name));
      }
      long generation;
      if (changed != null) {
        generation = admin.publishChanged(name, changed.indices());
      } else if (manifest != null) {
        generation = admin.publishManifest(name, manifest.indices(), manifest.stamps());
      } else if (source != null) {
        generation = admin.publish(name, source.length, source.digest);
      } else {
        generation = admin.publish(name);
      }
      Published published = new Published(name, generation);
      output.print(published, published::text);
      return Exit.OK.code();
    }
  }

  private CommandLine command() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine();
  }

  /** How many samples the data set has; 0 when the grid does not know it, which it says itself. */
  private long samples(CacheAdmin admin) throws JsonProcessingException {
    return Output.MAPPER
        .readTree(admin.datasets())
        .valueStream()
        .filter(dataset -> dataset.path("name").asText().equals(name))
        .mapToLong(dataset -> dataset.path("samples").asLong())
        .sum();
  }
}
