package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.sun.management.ThreadMXBean;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LaneMessageTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** Objects of a decoded message cost more than their bytes, but only by a factor. */
  private static final int BYTES_PER_BYTE = 16;

  private static final int BYTES_PER_MESSAGE = 1 << 20;

  static Stream<LaneMessage> messages() {
    long[] three = {1, 2, Long.MAX_VALUE};
    byte[] layout = new byte[77];
    layout[76] = 9;
    Status[] all = {Status.HIT, Status.LEASED_TO_YOU, Status.MISS, Status.LEASED_TO_OTHER};
    long[] one = {41};
    PeerMessage.KeySpace keys = new PeerMessage.KeySpace(-1, 2, -3, 65_535, 2, 1);
    return Stream.of(
        new LaneMessage.Hello(1, 1, Role.ADMIN, "token", "trainer é"),
        new LaneMessage.HelloReply(1, true, 1 << 20, 1 << 10, 7, 2_000, 10_000, 1L << 40, "host"),
        new LaneMessage.Open(Long.MAX_VALUE, "digest", "digits", "pipeline", "checksum", 255),
        new LaneMessage.Open(0, "", "d", "p", "", 2),
        new LaneMessage.OpenReply(3, -5, 12),
        new LaneMessage.Segment(128, 1_024),
        new LaneMessage.SegmentReply(5, "/dev/shm/x"),
        new LaneMessage.Mapped(5),
        new LaneMessage.Drop(6),
        new LaneMessage.Read(1, Shape.RAGGED, true, 3, 5, 6, 1_500, three),
        new LaneMessage.Read(1, Shape.RECORDS, false, 0, -1, -1, 0, three),
        new LaneMessage.Read(
            1, Shape.COLLATED, true, 0, -1, -1, 0, three, three, new int[] {0, 7, 65_535}),
        new LaneMessage.Read(1, Shape.COLLATED, true, 5, -1, -1, 0, three, three, new int[0]),
        new Batch(
            9,
            Shape.RECORDS,
            false,
            false,
            320,
            all,
            one,
            new long[] {7},
            new Table.Records(new long[] {64, 0, 0, 0}, new int[] {200, 0, 0, 0})),
        new Batch(
            9,
            Shape.COLLATED,
            false,
            false,
            64,
            all,
            one,
            new long[] {7},
            new Table.Collated(layout)),
        new Batch(9, Shape.COLLATED, false, false, 0, all, one, one, new Table.Empty()),
        new Batch(9, Shape.RAGGED, false, false, 0, all, one, one, new Table.Empty()),
        new Batch(9, Shape.RAGGED, false, true, 640, all, one, one, new Table.Empty()),
        new Batch(
            9,
            Shape.RAGGED,
            false,
            false,
            192,
            all,
            one,
            one,
            new Table.Ragged(
                layout,
                List.of(
                    new Table.RaggedField(
                        2, 64, new long[] {0, 8, 8, 8, 8}, new long[] {2, 4, 0, 0, 0, 0, 0, 0}),
                    new Table.RaggedField(0, 128, new long[] {0, 8, 8, 8, 8}, new long[0])))),
        new LaneMessage.Fill(1, 0, 5, -1, -2, ByteBuffer.wrap(new byte[] {1, 2, 3})),
        new LaneMessage.FillReply(FillResult.DROPPED, "budget"),
        new LaneMessage.Renew(1, 2, three, three, three),
        new LaneMessage.Abandon(1, 2, one, one, one),
        new LaneMessage.StatusRequest(),
        new LaneMessage.StatusReply("{}"),
        new OwnersMessage.Request(3),
        new OwnersMessage.Request(OwnersMessage.Request.NO_DATASET),
        new OwnersMessage.Reply(
            7,
            List.of(
                new OwnersMessage.Member("a", "host-1", "10.0.0.1:9463", 1 << 30, true),
                new OwnersMessage.Member("b", "host-2", "", 0, false)),
            new int[][] {{0}, {1, 0}, {1}, {0, 1}}),
        new OwnersMessage.Reply(7, List.of(), new int[0][]),
        new AgreeMessage.Request("plan/job-1/0/3/ownership", new byte[] {1, 2, 3}),
        new AgreeMessage.Request("a", new byte[0]),
        new AgreeMessage.Reply(new byte[] {9}),
        new ReportMessage(3, false, 1, 2, 3, 4),
        new ReportMessage(3, true, 0, ReportMessage.MOST, 0, 0),
        new LaneMessage.Done(0xB2),
        new AdminMessage.Publish("digits", "id-1", true, 60_000, "digest"),
        new AdminMessage.Publish("digits", "id-1", false, 0, ""),
        new AdminMessage.PublishChanged("digits", "id-1", three),
        new AdminMessage.PublishManifest("digits", "id-1", one, new String[] {"2024 17"}),
        new AdminMessage.Invalidate("digits", three),
        new AdminMessage.Published(0x92, 4),
        new AdminMessage.Datasets(),
        new AdminMessage.DatasetsReply("[]"),
        new AdminMessage.Configure("pets", new TreeMap<>(Map.of("policy", "lru", "quota", "25%"))),
        new AdminMessage.Configured(new TreeMap<>(Map.of("policy", "lru", "validation", "none"))),
        new PeerMessage.Introduce(new UUID(1, -2), new UUID(-3, 4)),
        new PeerMessage.PeerRead(
            keys, true, false, true, 1_500, -9, three, three, Long.MIN_VALUE, new long[0]),
        new PeerMessage.PeerRead(keys, false, true, false, 0, 9, one, one, 77, one),
        new PeerMessage.PeerCancel(-1),
        new PeerMessage.PeerFill(keys, true, false, 5, 6, ByteBuffer.wrap(new byte[] {1, 2, 3})),
        new PeerMessage.PeerFill(keys, false, true, 5, 6, ByteBuffer.wrap(new byte[] {4})),
        new PeerMessage.PeerFillReply(PeerMessage.PeerFillResult.DAMAGED, ""),
        new PeerMessage.PeerFillReply(PeerMessage.PeerFillResult.DROPPED, "budget"),
        new PeerMessage.PeerRenew(keys, 7, three, three, three),
        new PeerMessage.PeerRelease(keys, -7, one, one, one),
        new PeerMessage.PeerCloseHolder(1L << 60),
        new PeerMessage.PeerPing(new UUID(1, -2), 1L << 40),
        new PeerMessage.PeerPong(true, -1),
        LaneMessage.Done.to(new PeerMessage.Introduce(new UUID(1, 2), new UUID(3, 4))),
        LaneMessage.Done.to(new LaneMessage.Mapped(1)),
        new LaneMessage.Failure(LaneException.Code.TOO_LARGE, false, "ask for less"));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void decode_encoded_isTheSameAgain(LaneMessage message) {
    ByteBuffer frame = message.frame(77);
    Frame header = Frame.read(frame, 1 << 20);

    assertThat(header).isEqualTo(new Frame(frame.remaining(), message.type(), 77));
    assertThat(LaneMessage.decode(header.type(), frame))
        .usingRecursiveComparison()
        .isEqualTo(message);
  }

  @Test
  void decode_inlineBatch_saysWhereThePayloadStarts() {
    Batch batch =
        new Batch(
            1,
            Shape.RECORDS,
            true,
            false,
            100,
            new Status[] {Status.HIT},
            new long[0],
            new long[0],
            new Table.Records(new long[] {0}, new int[] {100}));
    ByteBuffer head = batch.frame(1).position(Frame.HEADER_BYTES);
    ByteBuffer body = ByteBuffer.allocate(head.remaining() + 100).put(head).rewind();

    Batch read = (Batch) LaneMessage.decode(batch.type(), body);

    assertThat(read.payloadStart(body.capacity())).isEqualTo(body.capacity() - 100);
    assertThat(read.payloadStart(body.capacity()) % 64).isZero();
  }

  @ParameterizedTest
  @MethodSource("messages")
  void decode_cutShort_isMalformed(LaneMessage message) {
    ByteBuffer body = message.frame(1).position(Frame.HEADER_BYTES).slice();
    for (int length = 0; length < body.capacity(); length++) {
      ByteBuffer cut = body.slice(0, length);
      Throwable thrown = catchThrowable(() -> LaneMessage.decode(message.type(), cut));
      if (message instanceof LaneMessage.StatusReply && thrown == null) {
        continue;
      }
      assertMalformed(thrown);
    }
  }

  @Property(tries = 3_000)
  void decode_anyBytes_isAMessageOrMalformed(
      @ForAll("types") int type, @ForAll @Size(max = 300) byte[] bytes) {
    decodeOrMalformed(type, bytes);
  }

  @Property(tries = 6_000)
  void decode_mutatedFrame_isAMessageOrMalformed(
      @ForAll("known") LaneMessage message,
      @ForAll @Size(min = 1, max = 4) List<@IntRange(max = 1_000_000) Integer> places,
      @ForAll("values") int value) {
    ByteBuffer body = message.frame(1).position(Frame.HEADER_BYTES).slice();
    byte[] bytes = new byte[body.remaining()];
    body.get(bytes);
    for (int i = 0; bytes.length > 0 && i < places.size(); i++) {
      bytes[places.get(i) % bytes.length] = (byte) value;
    }
    decodeOrMalformed(message.type(), bytes);
  }

  @Property(tries = 1_000)
  void readHeader_anyBytes_isInBoundsOrMalformed(@ForAll @Size(16) byte[] bytes) {
    try {
      Frame frame = Frame.read(ByteBuffer.wrap(bytes), 1_000);
      assertThat(frame.bodyBytes()).isBetween(0, 1_000);
    } catch (LaneException e) {
      assertMalformed(e);
    }
  }

  @Test
  void readHeader_lengthOverTheLimit_namesBothAndTheRemedy() {
    ByteBuffer header = ByteBuffer.allocate(16);
    new Frame(1_001, 6, 1).write(header);

    assertThatThrownBy(() -> Frame.read(header.rewind(), 1_000))
        .hasMessage(
            "frame length=1001 > maxFrameBytes=1000, ask for fewer samples at a time or raise lane.maxFrameSize");
  }

  @Provide
  Arbitrary<Integer> types() {
    return Arbitraries.of(messages().map(LaneMessage::type).distinct().toList());
  }

  @Provide
  Arbitrary<LaneMessage> known() {
    return Arbitraries.of(messages().toList());
  }

  @Provide
  Arbitrary<Integer> values() {
    return Arbitraries.of(0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF);
  }

  private static void decodeOrMalformed(int type, byte[] bytes) {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    Throwable thrown = null;
    try {
      LaneMessage message = LaneMessage.decode(type, ByteBuffer.wrap(bytes));
      assertThat(message.type()).isEqualTo(type);
    } catch (RuntimeException e) {
      thrown = e;
    }
    long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
    if (thrown != null) {
      assertMalformed(thrown);
    }
    assertThat(allocated).isLessThan(BYTES_PER_MESSAGE + (long) BYTES_PER_BYTE * bytes.length);
  }

  private static void assertMalformed(Throwable thrown) {
    assertThat(thrown)
        .isInstanceOfSatisfying(
            LaneException.class, e -> assertThat(e.code()).isEqualTo(LaneException.Code.MALFORMED));
  }
}
