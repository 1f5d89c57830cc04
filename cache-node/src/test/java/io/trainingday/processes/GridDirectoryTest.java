package io.trainingday.processes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GridDirectoryTest {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final Path shared;
  private final Path grid;
  private final List<ChildProcess> children = new ArrayList<>();

  GridDirectoryTest(@TempDir Path directory) throws IOException {
    shared = Files.createDirectory(directory.resolve("shm"));
    grid = directory.resolve("grid");
  }

  @Test
  void everything_isGoneWhenItIsClosed() throws Exception {
    Path path;
    try (GridDirectory directory = GridDirectory.temporary(shared)) {
      path = directory.path();
      Files.writeString(GridDirectory.socket(directory.node(1)), "");
      Files.writeString(directory.segments().resolve("segment"), "");
      assertThat(path).isDirectory();
      assertThat(GridDirectory.socket(directory.node(16)).toString()).hasSizeLessThan(108);
    }
    assertThat(path).doesNotExist();
    assertThat(shared).isEmptyDirectory();
  }

  @Test
  void directory_taken_isRefusedUntilItsGridIsGone() throws Exception {
    try (GridDirectory held = GridDirectory.at(grid, shared)) {
      assertThatThrownBy(() -> GridDirectory.at(grid, shared))
          .isInstanceOf(ProcessException.class)
          .hasMessage(
              "the directory %s is taken by another grid; stop that one, or give another directory"
                  .formatted(grid));
      assertThat(held.path()).exists();
    }
    GridDirectory.at(grid, shared).close();
  }

  @Test
  void directory_withFilesInIt_isLeftAlone() throws Exception {
    Files.createDirectories(grid);
    Path file = Files.writeString(grid.resolve("mine.txt"), "precious");

    assertThatThrownBy(() -> GridDirectory.at(grid, shared))
        .isInstanceOf(ProcessException.class)
        .hasMessage(
            "the directory %s is not empty; it is left alone, give another one".formatted(grid));
    assertThat(file).hasContent("precious");
  }

  @Test
  void directory_thatMakesLongSockets_isRefused() {
    assertThatThrownBy(() -> GridDirectory.at(grid.resolve("x".repeat(100)), shared))
        .isInstanceOf(ProcessException.class)
        .hasMessageMatching(
            "the directory .* makes socket paths of \\d+ bytes > 107, the most a Unix socket's path"
                + " may have; give a shorter one");
  }

  @Test
  void directory_thatCannotBeMade_isRefused() {
    assertThatThrownBy(() -> GridDirectory.at(Path.of("/proc/grid"), shared))
        .isInstanceOf(ProcessException.class)
        .hasMessageStartingWith("the directory /proc/grid cannot be used: ")
        .hasMessageEndingWith("; give one this user may write");
  }

  @Test
  void grid_killedWithItsNodes_isRemovedByTheNextOne() throws Exception {
    ChildProcess founder = found();
    assertThat(grid.resolve("1/lock")).exists();
    assertThatThrownBy(() -> GridDirectory.at(grid, shared)).hasMessageContaining("is taken");

    founder.kill();
    try (GridDirectory next = GridDirectory.at(grid, shared)) {
      assertThat(next.path().resolve("1")).doesNotExist();
      assertThat(shared).isDirectoryContaining("glob:**/training-day-grid-*");
      assertThat(shared.toFile().list()).hasSize(1);
    }
  }

  @Test
  void grid_killedWhileANodeLives_isRemovedByThatNode() throws Exception {
    ChildProcess founder = found();
    ChildProcess node = start(Node.class, grid.resolve("1").toString());
    assertThat(node.hear(LIMIT)).isEqualTo("entered");
    founder.kill();
    assertThatThrownBy(() -> GridDirectory.at(grid, shared)).hasMessageContaining("is taken");
    assertThat(grid.resolve("1")).exists();

    node.askToStop();

    assertThat(node.awaitEnd(LIMIT)).isTrue();
    assertThat(grid).doesNotExist();
    assertThat(shared).isEmptyDirectory();
  }

  @Test
  void node_ofAGridThatIsGone_doesNotStart() {
    assertThatThrownBy(() -> NodeHome.enter(grid.resolve("1")))
        .isInstanceOf(ProcessException.class)
        .hasMessage("the grid at %s is gone".formatted(grid.resolve("1")));
  }

  private ChildProcess found() throws InterruptedException {
    ChildProcess founder = start(Founder.class, grid.toString(), shared.toString());
    assertThat(founder.hear(LIMIT)).isEqualTo("founded");
    return founder;
  }

  private ChildProcess start(Class<?> main, String... arguments) {
    ChildProcess child =
        ChildProcess.start(
            main.getSimpleName(),
            List.of(),
            List.of("-Xmx32m", "-XX:TieredStopAtLevel=1"),
            main.getName(),
            List.of(arguments),
            Map.of(),
            shared.resolveSibling("children.log"));
    children.add(child);
    return child;
  }

  @AfterEach
  void stop() {
    children.forEach(ChildProcess::kill);
  }

  /** Waits for what a child's parent says or for its end. */
  private static void awaitParent() throws InterruptedException {
    CountDownLatch asked = new CountDownLatch(1);
    ParentPipe.listen(
        new ParentPipe.Listener() {
          @Override
          public void stop() {
            asked.countDown();
          }

          @Override
          public void orphaned() {
            asked.countDown();
          }
        });
    asked.await();
  }

  /** Holds a grid's directory until it is killed. */
  static final class Founder {
    private Founder() {}

    public static void main(String[] arguments) throws Exception {
      try (GridDirectory directory =
          GridDirectory.at(Path.of(arguments[0]), Path.of(arguments[1]))) {
        directory.node(1);
        System.out.println("founded");
        awaitParent();
      }
    }
  }

  /** A node that thinks its grid's process has ended when it is told to stop. */
  static final class Node {
    private Node() {}

    public static void main(String[] arguments) throws Exception {
      NodeHome home = NodeHome.enter(Path.of(arguments[0]));
      System.out.println("entered");
      awaitParent();
      home.leaveForEver();
    }
  }
}
