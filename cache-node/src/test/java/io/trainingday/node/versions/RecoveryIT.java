package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.TestNodes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A grid that comes back after all of its nodes were killed. Every node is a process. */
class RecoveryIT {
  private static final int PORT = TestNodes.freePorts(VersionNode.PORTS);
  private static final Duration LONG = Duration.ofMinutes(10);
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final String NAME = "pictures";
  private static final String SOURCE = "aa11";

  private final List<VersionProcess> started = new ArrayList<>();
  private Path directory;

  @BeforeEach
  void use(@TempDir Path temporary) {
    directory = temporary;
  }

  @AfterEach
  void stop() {
    started.forEach(VersionProcess::close);
  }

  private static String name(int index) {
    return VersionNode.name(index, PORT);
  }

  private VersionProcess start(int index) throws Exception {
    return start(index, LONG);
  }

  private VersionProcess start(int index, Duration wait) throws Exception {
    VersionProcess process = new VersionProcess(index, PORT, directory, wait);
    started.add(process);
    return process;
  }

  private List<VersionProcess> startAll(int nodes) throws Exception {
    List<VersionProcess> all = new ArrayList<>();
    for (int i = 0; i < nodes; i++) {
      all.add(start(i));
      if (i == 0) {
        // It founds the grid, the others join it side by side.
        all.get(0).trouble();
      }
    }
    for (VersionProcess node : all) {
      node.trouble();
    }
    return all;
  }

  private static void kill(List<VersionProcess> all) throws Exception {
    for (VersionProcess process : all) {
      process.kill();
    }
  }

  /** What a node serves, as soon as it does. */
  private static String served(VersionProcess node) {
    return await()
        .atMost(LIMIT)
        .until(
            () -> node.open(NAME, SOURCE),
            said -> !said.startsWith("refused") && !said.equals("not served"));
  }

  private static void assertWaits(VersionProcess node, String why) throws Exception {
    await().atMost(LIMIT).untilAsserted(() -> assertThat(node.trouble()).contains(why));
    assertThat(node.open(NAME, SOURCE))
        .startsWith("refused: open of data set \"alice/pictures\": not yet, repeat it: ")
        .contains(why);
    assertThat(node.publish(NAME, "early", 1))
        .startsWith("refused: publish of data set \"alice/pictures\": not yet, repeat it: ");
  }

  @Test
  void allKilled_allUpAgain_goOnWithEverythingThatWasPublished() throws Exception {
    List<VersionProcess> all = startAll(3);
    served(all.get(2));
    assertThat(all.get(1).publishStamps(NAME, "s1", -1)).isEqualTo("0");
    assertThat(all.get(0).publish(NAME, "r1", 7)).isEqualTo("1");
    assertThat(all.get(2).publish(NAME, "r2", 8)).isEqualTo("2");
    String before = served(all.get(0));
    assertThat(before).contains(" 2 7@1,8@2 {backups=0, validation=checksum}");
    kill(all);

    List<VersionProcess> again = startAll(3);

    for (VersionProcess node : again) {
      assertThat(served(node)).isEqualTo(before);
    }
    assertThat(again.get(1).open(NAME, "bb22")).contains("it is kept with").contains("aa11");
    // The manifest is there, too: what differs has changed, and nothing else.
    assertThat(again.get(1).publishStamps(NAME, "s2", 50)).isEqualTo("3");
    assertThat(served(again.get(2))).contains(" 3 7@1,8@2,50@3 ");
    // So is what was asked for: the last publish again is none.
    assertThat(again.get(0).publish(NAME, "r2", 8)).isEqualTo("2");
  }

  @Test
  void allKilled_oneAlone_waitsForASecondAndThenServesTheNewest() throws Exception {
    List<VersionProcess> all = startAll(3);
    served(all.get(0));
    assertThat(all.get(0).publish(NAME, "r1", 7)).isEqualTo("1");
    String before = served(all.get(1));
    kill(all);

    VersionProcess one = start(2);
    assertWaits(
        one,
        "of the nodes that were in the grid last, [%s, %s, %s], only [%s] are here with what they kept, no majority"
            .formatted(name(0), name(1), name(2), name(2)));
    VersionProcess second = start(1);
    assertThat(served(one)).isEqualTo(before);
    assertThat(served(second)).isEqualTo(before);
    assertThat(one.publish(NAME, "r2", 9)).isEqualTo("2");

    // The third one was not there for the last publish, and joins those who were.
    VersionProcess third = start(0);
    assertThat(served(third)).isEqualTo(served(one)).contains(" 2 7@1,9@2 ");
  }

  @Test
  void allKilled_oneThatMissedAPublishFirst_neverServesWhatWasBefore() throws Exception {
    List<VersionProcess> all = startAll(3);
    served(all.get(2));
    all.get(2).kill();
    await()
        .atMost(LIMIT)
        .until(() -> all.get(0).publish(NAME, "r1", 7), generation -> generation.equals("1"));
    String before = served(all.get(1));
    kill(all);

    VersionProcess old = start(2);
    assertWaits(old, "only [" + name(2) + "] are here");
    VersionProcess newer = start(0);
    // Two of the three that once were, but one of the two that were last.
    assertWaits(
        newer, "of the nodes that were in the grid last, [" + name(0) + ", " + name(1) + "]");
    assertWaits(old, "of the nodes that were in the grid last, [" + name(0) + ", " + name(1) + "]");
    VersionProcess last = start(1);

    for (VersionProcess node : List.of(old, newer, last)) {
      assertThat(served(node)).isEqualTo(before).contains(" 1 7@1 ");
    }
  }

  @Test
  void allKilled_oneAloneForTooLong_startsColdAndTheOthersFollow() throws Exception {
    List<VersionProcess> all = startAll(3);
    served(all.get(0));
    assertThat(all.get(0).publish(NAME, "r1", 7)).isEqualTo("1");
    String before = served(all.get(0));
    kill(all);

    VersionProcess alone = start(2, Duration.ofSeconds(1));
    String cold = served(alone);
    assertThat(cold.split(" ", -1)[0]).isNotEqualTo(before.split(" ", -1)[0]);
    assertThat(cold).contains(" 0  ");
    assertThat(alone.log()).contains("The grid starts without what the disks hold");
    List<VersionProcess> others = List.of(start(0), start(1));
    for (VersionProcess node : others) {
      assertThat(served(node)).isEqualTo(cold);
    }
    assertThat(others.get(1).log())
        .contains("The grid goes on without what this node's disk holds");
    kill(List.of(alone, others.get(0), others.get(1)));

    // Nobody goes back behind the cold start.
    VersionProcess one = start(0);
    VersionProcess two = start(1);
    assertThat(served(one)).isEqualTo(cold);
    assertThat(served(two)).isEqualTo(cold);
  }

  @Test
  void allLeftInOrder_theLastOneAlone_goesOnAtOnce() throws Exception {
    List<VersionProcess> all = startAll(2);
    served(all.get(1));
    all.get(1).stop();
    await()
        .atMost(LIMIT)
        .until(() -> all.get(0).publish(NAME, "r1", 7), generation -> generation.equals("1"));
    String before = served(all.get(0));
    all.get(0).stop();

    VersionProcess left = start(1);
    assertWaits(left, "of which [" + name(1) + "] left before the others");
    VersionProcess last = start(0);
    assertThat(served(last)).isEqualTo(before);
    assertThat(served(left)).isEqualTo(before);
  }

  @Test
  void allKilled_withADamagedVersionKey_startThatDatasetColdAndKeepTheOthers() throws Exception {
    VersionProcess node = start(0);
    String before = served(node);
    String other = node.open("other", SOURCE);
    node.kill();
    try (Stream<Path> files = Files.walk(directory.resolve("kept-0"))) {
      Path damaged =
          files
              .filter(file -> file.endsWith("%016x.key".formatted(Checks.hash("alice/other"))))
              .findFirst()
              .orElseThrow();
      byte[] bytes = Files.readAllBytes(damaged);
      bytes[bytes.length / 2] ^= 4;
      Files.write(damaged, bytes);
    }

    VersionProcess again = start(0);
    assertThat(served(again)).isEqualTo(before);
    assertThat(again.open("other", SOURCE)).isNotEqualTo(other).contains(" 0 ");
    assertThat(again.log()).contains("its checksum is wrong");
  }
}
