package io.trainingday.processes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ChildProcessTest {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final Path log;
  private ChildProcess child;

  ChildProcessTest(@TempDir Path directory) {
    log = directory.resolve("child.log");
  }

  @BeforeEach
  void start() {
    child =
        ChildProcess.start(
            "child",
            List.of(),
            List.of("-Xmx32m", "-XX:TieredStopAtLevel=1"),
            Child.class.getName(),
            List.of("an argument"),
            Map.of("GREETING", "hello", "PATH", ""),
            log);
  }

  @AfterEach
  void stop() {
    child.kill();
  }

  @Test
  void child_isHeard_toldToStopAndItsEndIsSeen() throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    child.onEnd(ended::countDown);
    assertThat(child.hear(LIMIT)).isEqualTo("hello an argument null");
    assertThat(child.exitCode()).isEmpty();

    child.askToStop();

    assertThat(child.hear(LIMIT)).isEqualTo("told to stop");
    assertThat(child.awaitEnd(LIMIT)).isTrue();
    assertThat(child.exitCode()).hasValue(3);
    assertThat(ended.await(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(() -> child.hear(LIMIT))
        .isInstanceOf(ProcessException.class)
        .hasMessage(
            "child (process %d) has ended with exit code 3:\n  line 1\n  line 2"
                .formatted(child.pid()));
    child.askToStop();
  }

  @Test
  void child_thatSaysNothing_isToldWithItsLog() throws Exception {
    child.hear(LIMIT);

    assertThatThrownBy(() -> child.hear(Duration.ofMillis(50)))
        .isInstanceOf(ProcessException.class)
        .hasMessage(
            "child (process %d) says nothing for 0 s:\n  line 1\n  line 2".formatted(child.pid()));
  }

  @Test
  void child_killed_isGone() throws Exception {
    child.hear(LIMIT);

    child.kill();

    assertThat(child.isAlive()).isFalse();
    assertThat(child.exitCode()).hasValue(128 + 9);
  }

  /** Says who it is and waits for what its parent says. */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) throws InterruptedException {
      System.err.println("line 1\nline 2");
      CountDownLatch told = new CountDownLatch(1);
      ParentPipe.listen(
          new ParentPipe.Listener() {
            @Override
            public void stop() {
              System.out.println("told to stop");
              told.countDown();
            }

            @Override
            public void orphaned() {
              System.exit(4);
            }
          });
      System.out.println(
          System.getenv("GREETING") + " " + arguments[0] + " " + System.getenv("PATH"));
      told.await();
      System.exit(3);
    }
  }
}
