package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.InstanceOfAssertFactories.LONG;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.Frame;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Bytes that are no protocol are answered by an error or a close, and harm nobody else. */
@Timeout(240)
class LaneFuzzTest {
  private static final int ROUNDS = 1_500;
  private static final List<Shape> SHAPES = List.of(Shape.values());
  private static final int[] EDGES = {
    0, 1, -1, 2, 255, 65_535, 65_536, Integer.MAX_VALUE, Integer.MIN_VALUE
  };

  private CacheNode node;
  private RawClient good;
  private int goodHandle;

  @BeforeEach
  void launch(@TempDir Path directory) throws IOException {
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.parse("4MiB"))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.parse("1MiB"))
                .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofMillis(100))
                .build());
    good = RawClient.greeted(node.socket());
    goodHandle = good.open("good", 10);
    for (int i = 0; i < 10; i++) {
      good.fill(goodHandle, i, 0, 0, RawClient.record(i, 50));
    }
  }

  @AfterEach
  void stop() throws IOException {
    good.close();
    node.close();
  }

  @Test
  void randomBytes_endInErrorOrClose() throws IOException {
    Random random = new Random(1);
    for (int round = 0; round < ROUNDS; round++) {
      byte[] noise = new byte[random.nextInt(300)];
      random.nextBytes(noise);
      try (RawClient client =
          random.nextBoolean() ? new RawClient(node.socket()) : RawClient.greeted(node.socket())) {
        client.sendAndReceiveToTheEnd(ByteBuffer.wrap(noise));
      }
    }
    assertUnharmed();
  }

  @Test
  void mutatedFrames_endInErrorOrClose() throws IOException {
    Random random = new Random(2);
    for (int round = 0; round < ROUNDS; round++) {
      try (RawClient client = RawClient.greeted(node.socket())) {
        int handle = client.open("fuzzed", 1_000);
        int frames = 1 + random.nextInt(4);
        ByteBuffer bytes = ByteBuffer.allocate(64 << 10);
        for (int i = 0; i < frames; i++) {
          bytes.put(mutated(requests(handle, random).frame(1_000 + i), random));
        }
        client.sendAndReceiveToTheEnd(bytes.flip());
      }
    }
    assertUnharmed();
  }

  private static LaneMessage requests(int handle, Random random) {
    long[] indices = random.longs(1 + random.nextInt(4), 0, 1_000).toArray();
    long[] leases = new long[indices.length];
    Shape shape = SHAPES.get(random.nextInt(SHAPES.size()));
    int wait = random.nextInt(3);
    List<LaneMessage> all =
        List.of(
            new LaneMessage.Hello(1, 1, LaneMessage.Role.TRAINER, "", "fuzz"),
            new LaneMessage.Open(1_000, "digest", "fuzzed", "pipeline-1", "", 255),
            new LaneMessage.Segment(4096, 1 + random.nextInt(3)),
            new LaneMessage.Mapped(handle + 1),
            new LaneMessage.Drop(handle + 1),
            new LaneMessage.Read(handle, shape, true, 0, -1, -1, wait, indices),
            new LaneMessage.Read(handle, shape, false, 0, handle + 1, 0, wait, indices),
            new LaneMessage.Fill(
                handle, 0, indices[0], 0, 0, ByteBuffer.wrap(RawClient.record(indices[0], 10))),
            new LaneMessage.Renew(handle, 0, indices, leases, leases),
            new LaneMessage.Abandon(handle, 0, indices, leases, leases),
            new LaneMessage.StatusRequest());
    return all.get(random.nextInt(all.size()));
  }

  /** Changes bits, an aligned number, the length or the end of a frame; or nothing. */
  private static ByteBuffer mutated(ByteBuffer frame, Random random) {
    byte[] bytes = new byte[frame.remaining()];
    frame.get(bytes);
    ByteBuffer changed = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    // Half of the changes spare the header, so that they reach the decoding of bodies.
    int from = random.nextBoolean() || bytes.length == Frame.HEADER_BYTES ? 0 : Frame.HEADER_BYTES;
    switch (random.nextInt(5)) {
      case 0 -> {
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
          bytes[from + random.nextInt(bytes.length - from)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      case 1 -> {
        int words = (bytes.length - from) / Integer.BYTES;
        changed.putInt(
            from + Integer.BYTES * random.nextInt(words), EDGES[random.nextInt(EDGES.length)]);
      }
      case 2 -> changed.limit(random.nextInt(bytes.length + 1));
      case 3 -> {
        // A whole frame whose body ends early.
        int body = random.nextInt(bytes.length - Frame.HEADER_BYTES + 1);
        changed.putInt(0, body).limit(Frame.HEADER_BYTES + body);
      }
      default -> {}
    }
    return changed;
  }

  private void assertUnharmed() throws IOException {
    await()
        .untilAsserted(
            () -> {
              assertThat(node.stats().lane().connections()).isEqualTo(1);
              assertThat(node.stats().lane().slotsBytes()).isZero();
              assertThat(node.stats().fills().leases()).isZero();
            });
    assertThat(node.stats().lane().refusals()).extractingByKey("malformed", as(LONG)).isPositive();
    RawClient.Reply reply = good.read(goodHandle, Shape.COLLATED, false, 0, 3, 9);
    assertThat(reply.as(LaneMessage.Batch.class).statuses()).containsOnly(Status.HIT);
    for (int i = 0; i < 2_500; i++) {
      assertThat(reply.payload().get(i)).isEqualTo(RawClient.pixel(3, i));
      assertThat(reply.payload().get(2_500 + i)).isEqualTo(RawClient.pixel(9, i));
    }
  }
}
