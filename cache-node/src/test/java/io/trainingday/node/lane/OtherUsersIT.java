package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.trainingday.client.CacheStats;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.CacheNode;
import io.trainingday.node.ChildJvm;
import io.trainingday.node.OtherUser;
import io.trainingday.node.SharedDirectory;
import io.trainingday.node.TestNodes;
import io.trainingday.record.RecordCodec;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A node and its trainers, each as a user of its own, none of them root, as they are in pods. */
class OtherUsersIT {
  private static final int NODE = 21_001;
  private static final int DEFAULT_GROUP = 21_002;
  private static final int TEAM_A_GROUP = 21_003;
  private static final int TEAM_B_GROUP = 21_004;
  private static final int SAMPLES = 64;
  private static final int SIDE = 64;
  private static final List<String> SMALL_JVM =
      List.of("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

  @Test
  void trainersOfOtherUsers_shareMemoryWithTheNode_andNothingWithOtherTenants() throws Exception {
    assumeTrue(OtherUser.isPossible(), "only root may start processes as other users");
    try (SharedDirectory shared = new SharedDirectory()) {
      Path root = shared.path();
      Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
      // What an init container does: the host's directory becomes the node's.
      Path run = Files.createDirectory(root.resolve("run"));
      Files.setAttribute(run, "unix:uid", NODE);
      Path mounted = Files.createDirectory(root.resolve("mounted"));

      OtherUser nodeUser = new OtherUser(NODE, DEFAULT_GROUP, TEAM_A_GROUP, TEAM_B_GROUP);
      try (ChildJvm node =
          new ChildJvm(nodeUser.command(root, "", ChildJvm.NODE_ARGUMENTS, Node.class, run))) {
        assertThat(node.hear()).isEqualTo("serves " + run.resolve("lane.sock"));

        // The default tenant, its directory where the node has it.
        assertThat(ends(root, new OtherUser(21_011, DEFAULT_GROUP), "", Trainer.class, run))
            .isEqualTo("inline 0, all right");

        // Its directory is elsewhere, as in a pod, and the node's is not to be seen.
        String elsewhere =
            "mount --bind '%s' '%s'\nmount -t tmpfs none '%s'"
                .formatted(run.resolve("team-a"), mounted, run);
        OtherUser teamA = new OtherUser(21_012, TEAM_A_GROUP);
        assertThat(ends(root, teamA, elsewhere, Trainer.class, mounted))
            .isEqualTo("inline 0, all right");

        // Someone of another tenant, told all names there are.
        try (ChildJvm holder =
            new ChildJvm(teamA.command(root, "", SMALL_JVM, Holder.class, run.resolve("team-a")))) {
          String segment = holder.hear();
          String intruded =
              ends(root, new OtherUser(21_013, TEAM_B_GROUP), "", Intruder.class, run, segment);
          assertThat(intruded).isEqualTo("nothing");
          String changed = ends(root, teamA, "", Vandal.class, run.resolve("team-a"), segment);
          assertThat(changed).isEqualTo("nothing");
          holder.tell("end");
          holder.endsWell();
        }
        assertThat(
                ends(
                    root,
                    new OtherUser(21_013, TEAM_B_GROUP),
                    "",
                    Trainer.class,
                    run.resolve("team-b")))
            .isEqualTo("inline 0, all right");
        node.tell("end");
        node.endsWell();
      }
      for (Path tenant : List.of(run, run.resolve("team-a"), run.resolve("team-b"))) {
        assertThat(tenant.resolve("lane.sock")).doesNotExist();
        try (Stream<Path> left = Files.list(tenant.resolve(".segments"))) {
          assertThat(left).extracting(one -> one.getFileName().toString()).containsOnly("lock");
        }
      }
    }
  }

  private static String ends(
      Path root, OtherUser user, String setUp, Class<?> main, Object... arguments)
      throws Exception {
    try (ChildJvm child = new ChildJvm(user.command(root, setUp, SMALL_JVM, main, arguments))) {
      String said = child.hear();
      child.endsWell();
      return said;
    }
  }

  private static void awaitEnd() throws IOException {
    new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
  }

  /** A node with three tenants. */
  static final class Node {
    private Node() {}

    public static void main(String[] arguments) throws IOException {
      try (CacheNode node =
          CacheNode.launch(
              TestNodes.settings(Path.of(arguments[0]))
                  .set(
                      SettingKey.LANE_TENANTS,
                      List.of(
                          "default:" + DEFAULT_GROUP,
                          "team-a:" + TEAM_A_GROUP,
                          "team-b:" + TEAM_B_GROUP))
                  .build())) {
        ChildJvm.say("serves " + node.socket());
        awaitEnd();
      }
    }
  }

  /** Reads all samples twice through the socket in a directory, and looks at every label. */
  static final class Trainer {
    private Trainer() {}

    public static void main(String[] arguments) {
      String address = "unix:" + arguments[0] + "/lane.sock";
      DatasetSpec spec =
          DatasetSpec.builder("pictures")
              .pipeline("pictures-1")
              .sourceLength(SAMPLES)
              .sourceDigest("made up")
              .build();
      RecordCodec codec = RecordCodec.create();
      try (TrainingCache cache =
              TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
          CachedSamples samples = cache.open(spec)) {
        for (int epoch = 0; epoch < 2; epoch++) {
          long[] indices = LongStream.range(0, SAMPLES).toArray();
          try (SampleBatch batch =
              samples.read(
                  indices,
                  ReadShape.COLLATED,
                  index -> codec.decode(ByteBuffer.wrap(RawClient.record(index, SIDE))))) {
            check(batch);
          }
        }
        CacheStats stats = samples.stats();
        if (stats.slotBatches() == 0 || stats.originLoads() != SAMPLES) {
          throw new IllegalStateException(stats.toString());
        }
        ChildJvm.say("inline %d, all right".formatted(stats.inlineBatches()));
      }
    }

    private static void check(SampleBatch batch) {
      ByteBuffer labels = batch.field("label").data();
      ByteBuffer images = batch.field("image").data();
      for (int i = 0; i < batch.size(); i++) {
        if (labels.getLong(i * 8) != batch.index(i)
            || images.get(i * SIDE * SIDE + 77) != RawClient.pixel(batch.index(i), 77)) {
          throw new IllegalStateException("wrong bytes of sample " + batch.index(i));
        }
      }
    }
  }

  /** Has a segment whose file still has its name, and says which. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      Path socket = Path.of(arguments[0], "lane.sock");
      try (RawClient client = RawClient.greeted(socket)) {
        Path segment =
            socket.resolveSibling(
                client
                    .call(new LaneMessage.Segment(64 << 10, 1))
                    .as(LaneMessage.SegmentReply.class)
                    .path());
        try (FileChannel file =
            FileChannel.open(segment, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
          file.write(ByteBuffer.allocate(1), 0);
        }
        ChildJvm.say(segment.toString());
        awaitEnd();
      }
    }
  }

  private interface Attempt {
    Object make() throws IOException;
  }

  private static void denied(List<String> succeeded, String what, Attempt attempt) {
    try {
      succeeded.add(what + ": " + attempt.make());
    } catch (AccessDeniedException expected) {
      // The kernel's word for it.
    } catch (IOException e) {
      if (!String.valueOf(e.getMessage()).contains("Permission denied")
          && !String.valueOf(e.getMessage()).contains("Operation not permitted")) {
        succeeded.add(what + ": " + e);
      }
    }
  }

  private static List<Path> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  private static void tellOf(List<String> succeeded) {
    ChildJvm.say(succeeded.isEmpty() ? "nothing" : succeeded.toString());
  }

  /** Of team-b: tries what it can of others. */
  static final class Intruder {
    private Intruder() {}

    public static void main(String[] arguments) {
      Path run = Path.of(arguments[0]);
      Path segment = Path.of(arguments[1]);
      List<String> succeeded = new ArrayList<>();
      for (Path directory : List.of(run, run.resolve("team-a"))) {
        denied(succeeded, "list " + directory, () -> names(directory));
        Path socket = directory.resolve("lane.sock");
        denied(succeeded, "connect to " + socket, () -> new RawClient(socket));
      }
      denied(succeeded, "open the segment", () -> FileChannel.open(segment));
      denied(succeeded, "list the node's segments", () -> names(segment.resolveSibling("")));
      tellOf(succeeded);
    }
  }

  /** Of team-a: tries what it can to its own directory. */
  static final class Vandal {
    private Vandal() {}

    public static void main(String[] arguments) {
      Path directory = Path.of(arguments[0]);
      Path segment = Path.of(arguments[1]);
      Path socket = directory.resolve("lane.sock");
      List<String> succeeded = new ArrayList<>();
      denied(succeeded, "list", () -> names(directory));
      denied(succeeded, "list segments", () -> names(segment.resolveSibling("")));
      denied(succeeded, "remove the socket", () -> Files.deleteIfExists(socket));
      denied(succeeded, "make a file", () -> Files.createFile(directory.resolve("mine")));
      denied(succeeded, "remove the segment", () -> Files.deleteIfExists(segment));
      denied(
          succeeded,
          "open it to others",
          () ->
              Files.setPosixFilePermissions(segment, PosixFilePermissions.fromString("rw-rw-rw-")));
      for (Path lock :
          List.of(
              directory.resolve("lane.sock.lock"),
              directory.resolve(".segments/lock"),
              segment.resolveSibling("lock"))) {
        denied(
            succeeded,
            "open " + lock,
            () -> FileChannel.open(lock, StandardOpenOption.READ, StandardOpenOption.WRITE));
      }
      tellOf(succeeded);
    }
  }
}
