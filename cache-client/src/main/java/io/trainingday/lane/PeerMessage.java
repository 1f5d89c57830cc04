package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * What cache nodes ask of each other; types 32–39 and 42. Nodes speak of samples by their full
 * keys: only the node a trainer asked decides which version is current, so a peer never has to.
 */
// Arrays and the enums' order as in LaneMessage.
@SuppressWarnings({"ArrayRecordComponent", "EnumOrdinal"})
public sealed interface PeerMessage extends LaneMessage {
  /** The type of the frames that answer a {@link PeerRead}: {@link BatchHead} and entries. */
  int BATCH_TYPE = 0xA1;

  int MAX_BACKUPS = 2;

  /** Of the body of a {@link PeerAnswer}; what reads it takes no more than 1 MiB. */
  int MAX_ANSWER_BYTES = (1 << 20) - 64;

  int MAX_TIER = 2;

  /** What became of one sample of a {@link PeerRead}. */
  enum PeerStatus {
    HIT,
    MISS,
    LEASED_TO_YOU,
    LEASED_TO_OTHER,
    /** The node neither has the record nor keeps the leases of its partition. */
    NOT_OWNER
  }

  /** What became of a {@link PeerFill}. */
  enum PeerFillResult {
    TAKEN,
    BUSY,
    DROPPED,
    NOT_OWNER,
    /** The record did not match its checksum when it arrived: send it again. */
    DAMAGED
  }

  /**
   * What the keys of one request have in common.
   *
   * @param dataset hash of the data set's tenant-scoped name
   * @param pipeline hash of the pipeline fingerprint
   * @param variant of the stored augmentation, 0–65,535
   * @param backups of the data set, 0–{@link #MAX_BACKUPS}; says which table of owners is meant
   * @param tier of the data set, 0–{@link #MAX_TIER}: memory, disk, hybrid
   */
  record KeySpace(
      long dataset, long incarnation, long pipeline, int variant, int backups, int tier) {
    private static final int BYTES = 28;

    private void write(BodyWriter out) {
      out.u8(backups).u8(tier).u16(variant).i64(dataset).i64(incarnation).i64(pipeline);
    }

    private static KeySpace read(Body body) {
      int backups = body.u8();
      if (backups > MAX_BACKUPS) {
        throw body.malformed("backups=%d, allowed: 0–%d".formatted(backups, MAX_BACKUPS));
      }
      int tier = body.u8();
      if (tier > MAX_TIER) {
        throw body.malformed("tier=%d, allowed: 0–%d".formatted(tier, MAX_TIER));
      }
      int variant = body.u16();
      return new KeySpace(body.i64(), body.i64(), body.i64(), variant, backups, tier);
    }
  }

  /**
   * First message after HELLO: who asks, and whom it takes the answering node for, since a port may
   * have changed hands.
   */
  record Introduce(UUID from, UUID to) implements PeerMessage {
    @Override
    public int type() {
      return 32;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      BodyWriter out = new BodyWriter(32);
      writeId(out, from);
      writeId(out, to);
      return out.frame(type(), requestId, 0);
    }

    static Introduce read(Body body) {
      return new Introduce(readId(body), readId(body));
    }
  }

  /**
   * Asks an owner for its part of a batch. The two arrays have one entry a sample.
   *
   * @param lease missing samples are to be leased to {@code holder}
   * @param verify records are to be checked against their checksum before they are sent
   * @param heads only header, descriptor and padding of each record are wanted
   * @param waitMillis as in {@link LaneMessage.Read}
   * @param holder who the leases are for: one of the asking node's trainers
   * @param oldestMillis records made before, in milliseconds since 1970, are no hits; {@link
   *     #ANY_AGE}: however old
   * @param stamps records whose source stamp is another are no hits; empty where nobody asks
   */
  record PeerRead(
      KeySpace keys,
      boolean lease,
      boolean verify,
      boolean heads,
      int waitMillis,
      long holder,
      long[] indices,
      long[] sampleVersions,
      long oldestMillis,
      long[] stamps)
      implements PeerMessage {
    private static final int LEASE = 1;
    private static final int VERIFY = 2;
    private static final int HEADS = 4;
    private static final int STAMPS = 8;

    /** For {@code oldestMillis}. */
    public static final long ANY_AGE = Long.MIN_VALUE;

    /** However old, whatever its source looks like. */
    public PeerRead(
        KeySpace keys,
        boolean lease,
        boolean verify,
        boolean heads,
        int waitMillis,
        long holder,
        long[] indices,
        long[] sampleVersions) {
      this(
          keys,
          lease,
          verify,
          heads,
          waitMillis,
          holder,
          indices,
          sampleVersions,
          ANY_AGE,
          new long[0]);
    }

    @Override
    public int type() {
      return 33;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      BodyWriter out =
          new BodyWriter(56 + KeySpace.BYTES + 16 * indices.length + 8 * stamps.length);
      keys.write(out);
      out.u8(
              (lease ? LEASE : 0)
                  | (verify ? VERIFY : 0)
                  | (heads ? HEADS : 0)
                  | (stamps.length > 0 ? STAMPS : 0))
          .u8(0)
          .u16(0)
          .u32(waitMillis)
          .u32(indices.length)
          .i64(holder)
          .i64(oldestMillis)
          .i64s(indices)
          .i64s(sampleVersions)
          .i64s(stamps);
      return out.frame(type(), requestId, 0);
    }

    static PeerRead read(Body body) {
      KeySpace keys = KeySpace.read(body);
      int flags = body.u8();
      if (flags > (LEASE | VERIFY | HEADS | STAMPS)) {
        throw body.malformed("flags=" + flags + ", allowed: 0–15");
      }
      body.zeros(3);
      int waitMillis = body.u31("waitMillis");
      int count = body.count("count", 1, MAX_COUNT);
      long holder = body.i64();
      long oldestMillis = body.i64();
      return new PeerRead(
          keys,
          (flags & LEASE) != 0,
          (flags & VERIFY) != 0,
          (flags & HEADS) != 0,
          waitMillis,
          holder,
          body.i64s(count),
          body.i64s(count),
          oldestMillis,
          body.i64s((flags & STAMPS) != 0 ? count : 0));
    }
  }

  /**
   * The first bytes of each frame that answers a {@link PeerRead}; entries follow to the frame's
   * end. Frames are made and taken apart as they travel, so this is no message of its own.
   *
   * @param last every sample has had its entry
   */
  record BatchHead(boolean last) {
    public static final int BYTES = 8;

    public void write(ByteBuffer out) {
      little(out, 0, (last ? 1 : 0));
      out.position(out.position() + BYTES);
    }

    /**
     * Reads at the buffer's position and moves it behind.
     *
     * @throws LaneException MALFORMED
     */
    public static BatchHead read(ByteBuffer in) {
      long flags = little(in, 0);
      in.position(in.position() + BYTES);
      if (flags >>> 1 != 0) {
        throw malformed("batch flags=%x, allowed: 0, 1".formatted(flags));
      }
      return new BatchHead(flags == 1);
    }
  }

  /**
   * The fixed part of one sample's answer; {@code sentBytes} of its record follow.
   *
   * @param position of the sample in the request
   * @param recordBytes of the whole record, 0 unless it is a hit
   * @param sentBytes that follow: all of it, or what comes before the body where heads are wanted
   * @param lease 0 unless it is LEASED_TO_YOU
   */
  record Entry(int position, PeerStatus status, int recordBytes, int sentBytes, long lease) {
    public static final int BYTES = 16;
    private static final PeerStatus[] STATUSES = PeerStatus.values();

    /** The entry of a record that is there. */
    public static Entry hit(int position, int recordBytes, int sentBytes) {
      return new Entry(position, PeerStatus.HIT, recordBytes, sentBytes, 0);
    }

    /** The entry of a record that is not. */
    public static Entry missing(int position, PeerStatus status, long lease) {
      return new Entry(position, status, 0, 0, lease);
    }

    public void write(ByteBuffer out) {
      little(out, 0, position | (long) status.ordinal() << Integer.SIZE);
      little(
          out,
          Long.BYTES,
          status == PeerStatus.HIT ? recordBytes | (long) sentBytes << Integer.SIZE : lease);
      out.position(out.position() + BYTES);
    }

    /**
     * Reads at the buffer's position and moves it behind.
     *
     * @param count of samples in the request
     * @param maxRecordBytes the largest record taken
     * @throws LaneException MALFORMED
     */
    public static Entry read(ByteBuffer in, int count, int maxRecordBytes) {
      long head = little(in, 0);
      long rest = little(in, Long.BYTES);
      in.position(in.position() + BYTES);
      int position = (int) head;
      long code = head >>> Integer.SIZE;
      if (position < 0 || position >= count) {
        throw malformed(
            "position=%d, allowed: 0–%d".formatted(Integer.toUnsignedLong(position), count - 1));
      }
      if (code >= STATUSES.length) {
        throw malformed("status=%d, allowed: 0–%d".formatted(code, STATUSES.length - 1));
      }
      PeerStatus status = STATUSES[(int) code];
      if (status != PeerStatus.HIT) {
        if ((rest != 0) != (status == PeerStatus.LEASED_TO_YOU)) {
          throw malformed("lease=%d with status %s".formatted(rest, status));
        }
        return missing(position, status, rest);
      }
      int recordBytes = (int) rest;
      int sentBytes = (int) (rest >>> Integer.SIZE);
      if (recordBytes < 0 || recordBytes > maxRecordBytes) {
        throw malformed(
            "record of %d bytes > lane.maxRecordSize=%d, give all nodes the same"
                .formatted(Integer.toUnsignedLong(recordBytes), maxRecordBytes));
      }
      if (sentBytes < 0 || sentBytes > recordBytes) {
        throw malformed(
            "%d bytes of a record of %d".formatted(Integer.toUnsignedLong(sentBytes), recordBytes));
      }
      return hit(position, recordBytes, sentBytes);
    }
  }

  /** The node that asked needs the rest of the answer to one of its reads no longer. */
  record PeerCancel(long request) implements PeerMessage {
    @Override
    public int type() {
      return 34;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).i64(request).frame(type(), requestId, 0);
    }

    static PeerCancel read(Body body) {
      return new PeerCancel(body.i64());
    }
  }

  /**
   * A loaded record for its owner, or from its owner for the disk of a backup. The record's bytes
   * are a view of the frame's body.
   *
   * @param verify the record is to be checked against its checksum
   * @param copy the record is for the disk of the node that gets it, whatever it owns
   */
  record PeerFill(
      KeySpace keys,
      boolean verify,
      boolean copy,
      long index,
      long sampleVersion,
      ByteBuffer record)
      implements PeerMessage {
    private static final int VERIFY = 1;
    private static final int COPY = 2;

    @Override
    public int type() {
      return 35;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      ByteBuffer head = head(requestId);
      ByteBuffer whole = ByteBuffer.allocate(head.remaining() + record.remaining());
      return whole.put(head).put(record.duplicate()).flip();
    }

    /** The frame without the record, whose bytes the sender sends behind. */
    public ByteBuffer head(long requestId) {
      BodyWriter out = new BodyWriter(24 + KeySpace.BYTES);
      keys.write(out);
      out.u8((verify ? VERIFY : 0) | (copy ? COPY : 0))
          .u8(0)
          .u16(0)
          .i64(index)
          .i64(sampleVersion)
          .u32(record.remaining());
      return out.frame(type(), requestId, record.remaining());
    }

    static PeerFill read(Body body) {
      KeySpace keys = KeySpace.read(body);
      int flags = body.u8();
      if (flags > (VERIFY | COPY)) {
        throw body.malformed("flags=" + flags + ", allowed: 0–3");
      }
      body.zeros(3);
      long index = body.i64();
      long sampleVersion = body.i64();
      int recordBytes = body.u31("recordBytes");
      return new PeerFill(
          keys,
          (flags & VERIFY) != 0,
          (flags & COPY) != 0,
          index,
          sampleVersion,
          body.view(recordBytes));
    }
  }

  /** The answer to {@link PeerFill}; {@code reason} is one word, empty unless it was dropped. */
  record PeerFillReply(PeerFillResult result, String reason) implements PeerMessage {
    @Override
    public int type() {
      return 0xA3;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(16)
          .u8(result.ordinal())
          .u8(0)
          .u16(0)
          .utf8(reason)
          .frame(type(), requestId, 0);
    }

    static PeerFillReply read(Body body) {
      int code = body.u8();
      PeerFillResult[] results = PeerFillResult.values();
      if (code >= results.length) {
        throw body.malformed("result=%d, allowed: 0–%d".formatted(code, results.length - 1));
      }
      body.zeros(3);
      return new PeerFillReply(results[code], body.utf8("reason", 0, 64));
    }
  }

  /** Leases of one holder are still being worked on. The three arrays have one entry a lease. */
  record PeerRenew(KeySpace keys, long holder, long[] indices, long[] sampleVersions, long[] leases)
      implements PeerMessage {
    @Override
    public int type() {
      return 36;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeLeases(type(), requestId, keys, holder, indices, sampleVersions, leases);
    }

    static PeerRenew read(Body body) {
      KeySpace keys = KeySpace.read(body);
      int count = body.count("count", 1, MAX_COUNT);
      long holder = body.i64();
      return new PeerRenew(keys, holder, body.i64s(count), body.i64s(count), body.i64s(count));
    }

    private PeerRelease toRelease() {
      return new PeerRelease(keys, holder, indices, sampleVersions, leases);
    }
  }

  /** Gives leases of one holder back unfilled. The three arrays have one entry a lease. */
  record PeerRelease(
      KeySpace keys, long holder, long[] indices, long[] sampleVersions, long[] leases)
      implements PeerMessage {
    @Override
    public int type() {
      return 37;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeLeases(type(), requestId, keys, holder, indices, sampleVersions, leases);
    }
  }

  /** A holder is gone: its leases end and its waits are over. */
  record PeerCloseHolder(long holder) implements PeerMessage {
    @Override
    public int type() {
      return 38;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).i64(holder).frame(type(), requestId, 0);
    }

    static PeerCloseHolder read(Body body) {
      return new PeerCloseHolder(body.i64());
    }
  }

  /**
   * A sign of life.
   *
   * @param freeBytes what the sender's admission could still take
   */
  record PeerPing(UUID from, long freeBytes) implements PeerMessage {
    @Override
    public int type() {
      return 39;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      BodyWriter out = new BodyWriter(24);
      writeId(out, from);
      return out.i64(freeBytes).frame(type(), requestId, 0);
    }

    static PeerPing read(Body body) {
      return new PeerPing(readId(body), body.i64());
    }
  }

  /**
   * The answer to {@link PeerPing}.
   *
   * @param refused the answering node has seen the sender fail or leave
   * @param freeBytes what the answering node's admission could still take
   */
  record PeerPong(boolean refused, long freeBytes) implements PeerMessage {
    @Override
    public int type() {
      return 0xA7;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(16)
          .u8(refused ? 1 : 0)
          .u8(0)
          .u16(0)
          .u32(0)
          .i64(freeBytes)
          .frame(type(), requestId, 0);
    }

    static PeerPong read(Body body) {
      int refused = body.u8();
      if (refused > 1) {
        throw body.malformed("refused=" + refused + ", allowed: 0, 1");
      }
      body.zeros(7);
      return new PeerPong(refused == 1, body.i64());
    }
  }

  /**
   * A question that an administrator asked of another node, for this one's part of the answer.
   *
   * @param json at most {@value #MAX_QUESTION_BYTES} bytes
   */
  record PeerAsk(String json) implements PeerMessage {
    static final int TYPE = 42;
    public static final int MAX_QUESTION_BYTES = 1 << 16;

    @Override
    public int type() {
      return TYPE;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(json.length() + 4).utf8(json).frame(type(), requestId, 0);
    }

    static PeerAsk read(Body body) {
      return new PeerAsk(body.utf8("json", 1, MAX_QUESTION_BYTES));
    }
  }

  /** The answer to {@link PeerAsk}. */
  record PeerAnswer(String json) implements PeerMessage {
    @Override
    public int type() {
      return 0xAA;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(json.length() + 4).utf8(json).frame(type(), requestId, 0);
    }

    static PeerAnswer read(Body body) {
      return new PeerAnswer(body.utf8("json", 0, body.remaining()));
    }
  }

  /** Decodes a body of one of these types or of its reply. */
  static LaneMessage read(int type, Body body) {
    return switch (type) {
      case 32 -> Introduce.read(body);
      case 33 -> PeerRead.read(body);
      case 34 -> PeerCancel.read(body);
      case 35 -> PeerFill.read(body);
      case 0xA3 -> PeerFillReply.read(body);
      case 36 -> PeerRenew.read(body);
      case 37 -> PeerRenew.read(body).toRelease();
      case 38 -> PeerCloseHolder.read(body);
      case 39 -> PeerPing.read(body);
      case 0xA7 -> PeerPong.read(body);
      case PeerAsk.TYPE -> PeerAsk.read(body);
      case 0xAA -> PeerAnswer.read(body);
      case 0xA0 -> new Done(type);
      default -> throw body.unknown();
    };
  }

  private static ByteBuffer writeLeases(
      int type,
      long requestId,
      KeySpace keys,
      long holder,
      long[] indices,
      long[] sampleVersions,
      long[] leases) {
    BodyWriter out = new BodyWriter(12 + KeySpace.BYTES + 24 * indices.length);
    keys.write(out);
    return out.u32(indices.length)
        .i64(holder)
        .i64s(indices)
        .i64s(sampleVersions)
        .i64s(leases)
        .frame(type, requestId, 0);
  }

  private static void writeId(BodyWriter out, UUID id) {
    out.i64(id.getMostSignificantBits()).i64(id.getLeastSignificantBits());
  }

  private static UUID readId(Body body) {
    return new UUID(body.i64(), body.i64());
  }

  private static long little(ByteBuffer in, int offset) {
    long value = in.getLong(in.position() + offset);
    return in.order() == ByteOrder.LITTLE_ENDIAN ? value : Long.reverseBytes(value);
  }

  private static void little(ByteBuffer out, int offset, long value) {
    out.putLong(
        out.position() + offset,
        out.order() == ByteOrder.LITTLE_ENDIAN ? value : Long.reverseBytes(value));
  }

  private static LaneException malformed(String what) {
    return new LaneException(LaneException.Code.MALFORMED, "answer to PEER_READ: " + what);
  }
}
