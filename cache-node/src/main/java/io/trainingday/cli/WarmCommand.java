package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.trainingday.answer.Output;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CacheException;
import io.trainingday.config.Durations;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day warm}: waits until a data set is in the cache. */
@Command(
    name = "warm",
    description = {
      "Wait until so much of a data set is in the cache, and show how it grows.",
      "It loads nothing itself: trainers do that, with `warm` in Python and Java, or by training."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "Example:", "  training-day warm imagenet --until 95%% --timeout 30m"})
final class WarmCommand implements Callable<Integer> {
  private static final Pattern PERCENT = Pattern.compile("([0-9]{1,3}(?:\\.[0-9]{1,3})?)%");
  private static final double ALL = 100;
  private static final long LOOK_MILLIS = 1_000;

  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "NAME", description = "the data set")
  private String name = "";

  @Option(
      names = "--until",
      paramLabel = "PERCENT",
      defaultValue = "100%",
      description = "how much of its samples, such as 95%% (default: ${DEFAULT-VALUE})")
  private String until = "";

  @Option(
      names = "--timeout",
      paramLabel = "DURATION",
      description = "give up after that, such as 30m (default: never)")
  private @Nullable String timeout;

  @Option(
      names = "--stalled",
      paramLabel = "DURATION",
      defaultValue = "2m",
      description =
          "give up when nothing has come for that long (default: ${DEFAULT-VALUE}); nodes count what"
              + " they hold twice a minute")
  private String stalled = "";

  @Mixin private NodeOptions node = new NodeOptions();

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws JsonProcessingException, InterruptedException {
    WarmWatch watch =
        new WarmWatch(
            name,
            percent("--until", until),
            timeout == null ? null : duration("--timeout", timeout),
            duration("--stalled", stalled),
            System.nanoTime());
    WarmLine line = new WarmLine(command().commandLine().getErr(), Terminal.isTerminal(2));
    try (CacheAdmin admin = node.administer()) {
      while (!look(watch, admin)) {
        line.show(watch);
        TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
      }
    } finally {
      line.end();
    }
    if (output.isJson() || watch.isReached()) {
      output.print(watch.report(), watch::text);
    }
    if (!watch.isReached()) {
      throw new ExitException(Exit.WRONG, watch.failure());
    }
    return Exit.OK.code();
  }

  /** A node that is away for a moment is no reason to give up, once one has answered. */
  private static boolean look(WarmWatch watch, CacheAdmin admin) throws JsonProcessingException {
    String datasets;
    try {
      datasets = admin.datasets();
    } catch (CacheException e) {
      if (!watch.hasSeen()) {
        throw e;
      }
      return watch.isOver(System.nanoTime());
    }
    return watch.look(Output.MAPPER.readTree(datasets), System.nanoTime());
  }

  private double percent(String option, String text) {
    Matcher matcher = PERCENT.matcher(text);
    double percent = matcher.matches() ? Double.parseDouble(matcher.group(1)) : -1;
    if (percent <= 0 || percent > ALL) {
      throw new ParameterException(
          command().commandLine(),
          "%s=%s, write a percentage over 0%% and up to 100%%, such as 95%%"
              .formatted(option, text));
    }
    return percent;
  }

  private Duration duration(String option, String text) {
    try {
      return Durations.parse(text);
    } catch (IllegalArgumentException wrong) {
      throw new ParameterException(
          command().commandLine(),
          String.format(Locale.ROOT, "%s=%s: %s", option, text, wrong.getMessage()),
          wrong);
    }
  }

  private CommandSpec command() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec;
  }
}
