package io.trainingday.cli;

import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import io.trainingday.processes.NodeHome;
import io.trainingday.processes.ParentPipe;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code training-day grid-node}: one node of {@code training-day grid}, which starts it. Its
 * settings come from the environment alone. It prints one line when it serves, and stops when its
 * standard input says so or ends.
 */
@Command(
    name = "grid-node",
    description = "One node of `grid`, which starts it.",
    mixinStandardHelpOptions = true,
    hidden = true)
final class GridNodeCommand implements Callable<Integer> {
  private static final long LOOK_MILLIS = 200;

  /** An orphan that cannot stop in order leaves all the same. */
  private static final Duration ORPHAN_LIMIT = Duration.ofSeconds(30);

  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "DIR", description = "the node's directory in that of the grid")
  private @Nullable Path home;

  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final AtomicBoolean orphaned = new AtomicBoolean();

  @Override
  public Integer call() throws InterruptedException, IOException {
    if (spec == null || home == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    try (NodeHome entered = NodeHome.enter(home)) {
      ParentPipe.listen(new Parent(entered));
      int exitCode = serve(spec);
      if (orphaned.get()) {
        entered.leaveForEver();
      }
      return exitCode;
    } finally {
      stopped.countDown();
    }
  }

  private int serve(CommandSpec command) throws InterruptedException {
    Settings settings = SettingsSource.read(null, System.getenv());
    LogLevels.start(settings.log().level());
    // A signal ends the process when its hooks are done, so this one waits for the node's stop.
    CacheNode.leaveSignalsToCaller();
    Runtime.getRuntime().addShutdownHook(new Thread(this::awaitStop, "stop"));
    try (CacheNode node = CacheNode.launch(settings)) {
      LogLevels.serve(settings.log().level());
      command.commandLine().getOut().println("ready");
      command.commandLine().getOut().flush();
      Optional<String> failure = Optional.empty();
      while (failure.isEmpty()
          && !node.isStopWanted()
          && !asked.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        failure = node.failure();
      }
      if (failure.isPresent()) {
        command.commandLine().getErr().println("error: the node failed: " + failure.get());
        return Exit.WRONG.code();
      }
      if (!orphaned.get()) {
        node.handOver();
      }
      return Exit.OK.code();
    }
  }

  private void awaitStop() {
    asked.countDown();
    try {
      stopped.await();
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
  }

  /** What the grid's process says. */
  private final class Parent implements ParentPipe.Listener {
    private final NodeHome entered;

    Parent(NodeHome entered) {
      this.entered = entered;
    }

    @Override
    public void stop() {
      asked.countDown();
    }

    @Override
    public void orphaned() {
      orphaned.set(true);
      asked.countDown();
      try {
        if (!stopped.await(ORPHAN_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
          entered.leaveForEver();
          Runtime.getRuntime().halt(Exit.WRONG.code());
        }
      } catch (InterruptedException | IOException impossible) {
        Runtime.getRuntime().halt(Exit.WRONG.code());
      }
    }
  }
}
