package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.lane.LaneConnection.Reply;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;

/** Whatever a node answers, a call ends, with a reply or with one of two kinds of exception. */
class LaneConnectionFuzzTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final AtomicReference<byte[]> ANSWER = new AtomicReference<>(new byte[0]);

  private static final Path DIRECTORY = directory();
  private static final ScriptedServer SERVER = serve();

  private static Path directory() {
    try {
      return Files.createTempDirectory("fuzz");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ScriptedServer serve() {
    try {
      return ScriptedServer.start(
          DIRECTORY.resolve("lane.sock"),
          peer -> {
            peer.greet(ScriptedServer.limits());
            peer.next();
            peer.raw(ByteBuffer.wrap(ANSWER.get()));
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @AfterContainer
  static void stop() throws IOException {
    SERVER.close();
    try (Stream<Path> files = Files.walk(DIRECTORY)) {
      for (Path path : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  @Property(tries = 400)
  void call_anyBytesForAnAnswer_ends(@ForAll @Size(max = 200) byte[] answer) {
    assertEnds(answer);
  }

  @Property(tries = 1_000)
  void call_mutatedAnswer_ends(
      @ForAll boolean inline,
      @ForAll @Size(min = 1, max = 4) List<@IntRange(max = 100_000) Integer> places,
      @ForAll byte value,
      @ForAll @IntRange(max = 400) int cut) {
    byte[] answer = answer(inline);
    for (int place : places) {
      answer[place % answer.length] = value;
    }
    byte[] sent = cut < answer.length ? Arrays.copyOf(answer, answer.length - cut) : answer;
    assertEnds(sent);
  }

  private static byte[] answer(boolean inline) {
    Batch batch =
        new Batch(
            1,
            Shape.RECORDS,
            inline,
            false,
            inline ? 128 : 0,
            new Status[] {Status.HIT, Status.MISS},
            new long[0],
            new long[0],
            new Table.Records(new long[2], new int[] {128, 0}));
    ByteBuffer frame = batch.frame(2);
    ByteBuffer whole = ByteBuffer.allocate(frame.remaining() + (inline ? 128 : 0));
    whole.put(frame);
    return whole.array();
  }

  private static void assertEnds(byte[] answer) {
    ANSWER.set(answer);
    LaneMemory memory = new LaneMemory(0);
    long before = System.nanoTime();
    try (LaneConnection connection =
        LaneConnection.open(
            SERVER.address(), Role.TRAINER, LaneAccess.OPEN, "fuzz", memory, TIMEOUT.toNanos())) {
      Reply reply =
          connection.call(
              new Read(1, Shape.RECORDS, true, 0, -1, -1, 0, new long[] {1, 2}),
              before + TIMEOUT.toNanos());
      assertThat(reply.message()).isInstanceOf(Batch.class);
    } catch (IOException | LaneException e) {
      // The two ways to fail; that it is neither a hang shows in the time.
      assertThat(e).hasMessageNotContaining("in time");
    }
  }
}
