package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.lane.PeerMessage.BatchHead;
import io.trainingday.lane.PeerMessage.Entry;
import io.trainingday.lane.PeerMessage.PeerStatus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The parts of the frames that answer a PEER_READ. */
class PeerEntryTest {
  private static final int COUNT = 10;
  private static final int MAX_RECORD = 1_000;

  static Stream<Entry> entries() {
    return Stream.of(
        Entry.hit(0, MAX_RECORD, MAX_RECORD),
        Entry.hit(9, 200, 128),
        Entry.hit(3, 0, 0),
        Entry.missing(1, PeerStatus.MISS, 0),
        Entry.missing(2, PeerStatus.LEASED_TO_YOU, -1),
        Entry.missing(2, PeerStatus.LEASED_TO_OTHER, 0),
        Entry.missing(4, PeerStatus.NOT_OWNER, 0));
  }

  @ParameterizedTest
  @MethodSource("entries")
  void read_written_isTheSameAgain(Entry entry) {
    for (ByteOrder order : new ByteOrder[] {ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN}) {
      ByteBuffer bytes = ByteBuffer.allocate(3 + Entry.BYTES).order(order).position(3);
      entry.write(bytes);
      assertThat(bytes.hasRemaining()).isFalse();
      assertThat(Entry.read(bytes.position(3), COUNT, MAX_RECORD)).isEqualTo(entry);
      assertThat(bytes.hasRemaining()).isFalse();
    }
  }

  @Test
  void write_isAsTheContractDrawsIt() {
    ByteBuffer bytes = ByteBuffer.allocate(Entry.BYTES);
    Entry.hit(0x01020304, 0x05060708, 0x00010203).write(bytes);
    assertThat(bytes.array()).containsExactly(4, 3, 2, 1, 0, 0, 0, 0, 8, 7, 6, 5, 3, 2, 1, 0);
    bytes.clear();
    Entry.missing(1, PeerStatus.LEASED_TO_YOU, 0x0102030405060708L).write(bytes);
    assertThat(bytes.array()).containsExactly(1, 0, 0, 0, 2, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1);
    bytes.clear();
    new BatchHead(true).write(bytes);
    assertThat(bytes.array()).startsWith(1, 0, 0, 0, 0, 0, 0, 0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void batchHead_written_isTheSameAgain(boolean last) {
    ByteBuffer bytes = ByteBuffer.allocate(BatchHead.BYTES);
    new BatchHead(last).write(bytes);
    assertThat(BatchHead.read(bytes.flip()).last()).isEqualTo(last);
  }

  @Test
  void read_outOfBounds_isMalformedAndSaysWhy() {
    assertMalformed(Entry.hit(10, 1, 1), "position=10, allowed: 0–9");
    assertMalformed(
        Entry.hit(0, 1_001, 1),
        "record of 1001 bytes > lane.maxRecordSize=1000, give all nodes the same");
    assertMalformed(Entry.hit(0, 200, 201), "201 bytes of a record of 200");
    assertMalformed(Entry.missing(0, PeerStatus.MISS, 7), "lease=7 with status MISS");
    assertMalformed(
        Entry.missing(0, PeerStatus.LEASED_TO_YOU, 0), "lease=0 with status LEASED_TO_YOU");
  }

  private static void assertMalformed(Entry entry, String why) {
    ByteBuffer bytes = ByteBuffer.allocate(Entry.BYTES);
    entry.write(bytes);
    assertThatThrownBy(() -> Entry.read(bytes.flip(), COUNT, MAX_RECORD))
        .isInstanceOfSatisfying(
            LaneException.class, e -> assertThat(e.code()).isEqualTo(LaneException.Code.MALFORMED))
        .hasMessage("answer to PEER_READ: " + why);
  }

  @Property(tries = 5_000)
  void read_anyBytes_isInBoundsOrMalformed(@ForAll @Size(16) byte[] bytes, @ForAll boolean near) {
    if (near) {
      // Most random bytes fail at the first check: spare the reserved ones and the high ones.
      for (int i : new int[] {1, 2, 3, 5, 6, 7, 10, 11, 14, 15}) {
        bytes[i] = 0;
      }
      bytes[4] &= 7;
    }
    try {
      Entry entry = Entry.read(ByteBuffer.wrap(bytes), COUNT, MAX_RECORD);
      assertThat(entry.position()).isBetween(0, COUNT - 1);
      assertThat(entry.recordBytes()).isBetween(0, MAX_RECORD);
      assertThat(entry.sentBytes()).isBetween(0, entry.recordBytes());
      assertThat(entry.lease() != 0).isEqualTo(entry.status() == PeerStatus.LEASED_TO_YOU);
    } catch (LaneException e) {
      assertThat(e.code()).isEqualTo(LaneException.Code.MALFORMED);
    }
  }

  @Property(tries = 1_000)
  void batchHead_anyBytes_isOneOrMalformed(@ForAll @Size(8) byte[] bytes) {
    try {
      assertThat(BatchHead.read(ByteBuffer.wrap(bytes)).last()).isEqualTo(bytes[0] == 1);
    } catch (LaneException e) {
      assertThat(e.code()).isEqualTo(LaneException.Code.MALFORMED);
    }
  }
}
