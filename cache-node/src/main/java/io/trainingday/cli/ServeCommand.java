package io.trainingday.cli;

import io.trainingday.answer.Output;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code training-day serve}: runs a cache node until a signal stops it or it fails. */
@Command(
    name = "serve",
    description = "Run a cache node for the trainers of this host.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {
      "",
      "Settings come from defaults, then the file, then TRAINING_DAY_CONFIG_* variables; `config"
          + " reference` prints them all, and says of which a change in the file counts while the"
          + " node runs.",
      "With --json one line of JSON says where it serves, once it does; what it logs goes to"
          + " standard error.",
      "",
      "Examples:",
      "  training-day serve --config node.yaml",
      "  training-day serve --json | jq -r --unbuffered .metrics"
    })
final class ServeCommand implements Callable<Integer> {
  private static final long LOOK_MILLIS = 500;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "settings, .yaml, .yml or .xml (default: none)")
  private @Nullable Path config;

  @Mixin private Output output = new Output();

  @Override
  public Integer call() throws InterruptedException {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    Settings settings = SettingsSource.read(config, System.getenv());
    LogLevels.start(settings.log().level());
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch stopped = new CountDownLatch(1);
    // A signal ends the process when its hooks are done, so this one waits for the node's stop.
    CacheNode.leaveSignalsToCaller();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(asked, stopped), "stop"));
    try (CacheNode node = CacheNode.launch(settings)) {
      LogLevels.serve(settings.log().level());
      Path file = config;
      if (file != null) {
        node.followSettings(
            file, () -> SettingsSource.read(file, System.getenv()), LogLevels::serve);
      }
      output.printLine(Served.of(node), () -> greeting(node));
      Optional<String> failure = Optional.empty();
      while (failure.isEmpty()
          && !node.isStopWanted()
          && !asked.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        failure = node.failure();
      }
      if (failure.isPresent()) {
        spec.commandLine().getErr().println("error: the node failed: " + failure.get());
        return Exit.WRONG.code();
      }
      node.handOver();
      return Exit.OK.code();
    } finally {
      stopped.countDown();
    }
  }

  private static void stop(CountDownLatch asked, CountDownLatch stopped) {
    asked.countDown();
    try {
      stopped.await();
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
  }

  private static String greeting(CacheNode node) {
    Settings settings = node.settings();
    boolean found = Settings.defaults().lane().resolvedSocket().equals(node.socket());
    StringBuilder text = new StringBuilder();
    text.append("training-day %s serves%n".formatted(Main.Version.text()));
    text.append("  trainers  unix:%s%n".formatted(node.socket()));
    node.laneAddress()
        .ifPresent(address -> text.append("            tcp://%s%n".formatted(address)));
    node.metricsPort()
        .ifPresent(
            port ->
                text.append(
                    "  metrics   %s, /live, /ready%n"
                        .formatted(Served.metrics(settings.metrics().address(), port))));
    text.append(
        "  memory    %s for samples, up to %s for batches in %s%n"
            .formatted(
                settings.memory().maxSize(),
                settings.lane().slots().maxBytes(),
                settings.lane().segmentDirectory()));
    text.append(
        found
            ? "Trainers of this user find it by themselves. Ctrl-C stops it.%n".formatted()
            : "Trainers need TRAINING_DAY_ADDRESS=unix:%s. Ctrl-C stops it.%n"
                .formatted(node.socket()));
    return text.toString();
  }
}
