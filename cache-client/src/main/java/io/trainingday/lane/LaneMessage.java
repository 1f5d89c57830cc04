package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The messages of protocol version 2, one record each; {@code contract/lane.md} is the
 * specification. Decoding checks every length before it allocates and throws {@link LaneException}
 * MALFORMED; it never reads behind the body. Messages are values; arrays in them are not copied.
 */
// Arrays keep a batch of thousands of indices cheap; the enums' order is the wire code by contract.
@SuppressWarnings({"ArrayRecordComponent", "EnumOrdinal"})
public sealed interface LaneMessage
    permits LaneMessage.Hello,
        LaneMessage.HelloReply,
        LaneMessage.Open,
        LaneMessage.OpenReply,
        LaneMessage.Segment,
        LaneMessage.SegmentReply,
        LaneMessage.Mapped,
        LaneMessage.Drop,
        LaneMessage.Read,
        LaneMessage.Batch,
        LaneMessage.Fill,
        LaneMessage.FillReply,
        LaneMessage.Renew,
        LaneMessage.Abandon,
        LaneMessage.StatusRequest,
        LaneMessage.StatusReply,
        LaneMessage.Done,
        LaneMessage.Failure,
        LaneMessage.Going,
        OwnersMessage,
        AgreeMessage,
        ReportMessage,
        AdminMessage,
        PeerMessage {
  /** Of the protocol, the newest spoken here. */
  int VERSION = 2;

  /** Of the protocol, the oldest spoken here: that of the release before. */
  int OLDEST_VERSION = 1;

  /** Types from here on, and up to {@link #LAST_OF_VERSION_2}, came with version 2. */
  int FIRST_OF_VERSION_2 = 40;

  int LAST_OF_VERSION_2 = 59;
  int MAX_COUNT = 65_536;
  int MAX_SLOTS = 1_024;
  int MAX_FIELDS = 256;
  int MAX_RANK = 16;
  int NO_SLOT = -1;
  int REPLY_BIT = 0x80;
  int ERROR_TYPE = 0xFF;
  int PAYLOAD_ALIGNMENT = 64;

  /** From the start of a segment's file: what a client holds locked while it may touch it. */
  int SEGMENT_LOCK_BYTES = 1;

  /**
   * The version of the protocol that a message came with.
   *
   * @param type of the message, request or reply
   */
  static int sinceVersion(int type) {
    int request = type & ~REPLY_BIT;
    return request >= FIRST_OF_VERSION_2 && request <= LAST_OF_VERSION_2 ? 2 : 1;
  }

  /** The number that stands in the frame's header. */
  int type();

  /**
   * The whole frame, header included.
   *
   * @param requestId of the request this is or answers
   */
  ByteBuffer frame(long requestId);

  /** What came by a connection: who it speaks for. */
  enum Role {
    TRAINER,
    PEER,
    ADMIN
  }

  /** How the samples of a batch lie in the payload. */
  enum Shape {
    RECORDS,
    COLLATED,
    RAGGED
  }

  /** What became of one sample of a READ. */
  enum Status {
    HIT,
    MISS,
    LEASED_TO_YOU,
    LEASED_TO_OTHER
  }

  /** What became of one FILL. */
  enum FillResult {
    TAKEN,
    BUSY,
    DROPPED
  }

  /** First message of a connection. */
  record Hello(int lowest, int highest, Role role, String token, String client)
      implements LaneMessage {
    private static final int MAGIC = 0x4E4C4454;

    @Override
    public int type() {
      return 1;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(64)
          .u32(MAGIC)
          .u16(lowest)
          .u16(highest)
          .u8(role.ordinal())
          .u8(0)
          .u16(0)
          .utf8(token)
          .utf8(client)
          .frame(type(), requestId, 0);
    }

    static Hello read(Body body) {
      int magic = body.u32();
      if (magic != MAGIC) {
        throw body.malformed("magic=0x%08x, expected 0x%08x".formatted(magic, MAGIC));
      }
      int lowest = body.u16();
      int highest = body.u16();
      Role role = constant(body, "role", Role.values());
      body.zeros(3);
      return new Hello(
          lowest, highest, role, body.utf8("token", 0, 4_096), body.utf8("client", 0, 256));
    }
  }

  /** The node's answer to {@link Hello}: what it allows. */
  record HelloReply(
      int version,
      boolean sharedMemory,
      int maxFrameBytes,
      int maxRecordBytes,
      int maxRequestsInFlight,
      int answerTimeoutMillis,
      int leaseTimeoutMillis,
      long maxSegmentBytes,
      String hostId)
      implements LaneMessage {
    @Override
    public int type() {
      return 0x81;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(64)
          .u16(version)
          .u8(sharedMemory ? 1 : 0)
          .u8(0)
          .u32(maxFrameBytes)
          .u32(maxRecordBytes)
          .u32(maxRequestsInFlight)
          .u32(answerTimeoutMillis)
          .u32(leaseTimeoutMillis)
          .i64(maxSegmentBytes)
          .utf8(hostId)
          .frame(type(), requestId, 0);
    }

    static HelloReply read(Body body) {
      int version = body.u16();
      int shared = body.u8();
      body.zeros(1);
      return new HelloReply(
          version,
          shared == 1,
          body.u31("maxFrameBytes"),
          body.u31("maxRecordBytes"),
          body.u31("maxRequestsInFlight"),
          body.u31("answerTimeoutMillis"),
          body.u31("leaseTimeoutMillis"),
          body.u63("maxSegmentBytes"),
          body.utf8("hostId", 0, 256));
    }
  }

  /**
   * Asks for a handle on a data set. An empty {@code validation} and {@link #BACKUPS_AS_KEPT} take
   * what is set already.
   */
  record Open(
      long sourceLength,
      String sourceDigest,
      String name,
      String pipeline,
      String validation,
      int backups)
      implements LaneMessage {
    /** For {@code backups}, instead of 0 to {@link #MAX_BACKUPS}. */
    public static final int BACKUPS_AS_KEPT = 255;

    public static final int MAX_BACKUPS = 2;

    @Override
    public int type() {
      return 2;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(128)
          .i64(sourceLength)
          .utf8(sourceDigest)
          .utf8(name)
          .utf8(pipeline)
          .utf8(validation)
          .u8(backups)
          .frame(type(), requestId, 0);
    }

    static Open read(Body body) {
      return new Open(
          body.u63("sourceLength"),
          body.utf8("sourceDigest", 0, 1_024),
          body.utf8("name", 1, 255),
          body.utf8("pipeline", 1, 32 << 10),
          body.utf8("validation", 0, 32),
          backups(body));
    }

    private static int backups(Body body) {
      int backups = body.u8();
      if (backups > MAX_BACKUPS && backups != BACKUPS_AS_KEPT) {
        throw body.malformed(
            "backups=%d, allowed: 0–%d, %d".formatted(backups, MAX_BACKUPS, BACKUPS_AS_KEPT));
      }
      return backups;
    }
  }

  /** The handle for READ, FILL, RENEW and ABANDON, valid on this connection. */
  record OpenReply(int handle, long incarnation, long generation) implements LaneMessage {
    @Override
    public int type() {
      return 0x82;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(24)
          .u32(handle)
          .u32(0)
          .i64(incarnation)
          .i64(generation)
          .frame(type(), requestId, 0);
    }

    static OpenReply read(Body body) {
      int handle = body.u31("handle");
      body.zeros(4);
      return new OpenReply(handle, body.i64(), body.i64());
    }
  }

  /** Asks for {@code slots} slots of {@code slotBytes} each in shared memory. */
  record Segment(long slotBytes, int slots) implements LaneMessage {
    @Override
    public int type() {
      return 3;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(16).i64(slotBytes).u32(slots).u32(0).frame(type(), requestId, 0);
    }

    static Segment read(Body body) {
      long slotBytes = body.u63("slotBytes");
      if (slotBytes == 0 || slotBytes % PAYLOAD_ALIGNMENT != 0) {
        throw body.malformed("slotBytes=" + slotBytes + ", allowed: multiples of 64 from 64");
      }
      int slots = body.count("slots", 1, MAX_SLOTS);
      body.zeros(4);
      return new Segment(slotBytes, slots);
    }
  }

  /** Where the client finds the segment's file. */
  record SegmentReply(int segment, String path) implements LaneMessage {
    @Override
    public int type() {
      return 0x83;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(128).u32(segment).u32(0).utf8(path).frame(type(), requestId, 0);
    }

    static SegmentReply read(Body body) {
      int segment = body.u31("segment");
      body.zeros(4);
      return new SegmentReply(segment, body.utf8("path", 1, 4_096));
    }
  }

  /** The client has mapped the segment. */
  record Mapped(int segment) implements LaneMessage {
    @Override
    public int type() {
      return 4;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).u32(segment).u32(0).frame(type(), requestId, 0);
    }

    static Mapped read(Body body) {
      int segment = body.u31("segment");
      body.zeros(4);
      return new Mapped(segment);
    }
  }

  /** The client needs the segment no longer. */
  record Drop(int segment) implements LaneMessage {
    @Override
    public int type() {
      return 5;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).u32(segment).u32(0).frame(type(), requestId, 0);
    }

    static Drop read(Body body) {
      int segment = body.u31("segment");
      body.zeros(4);
      return new Drop(segment);
    }
  }

  /**
   * Asks for one batch. {@code segment} and {@code slot} are both {@link #NO_SLOT} for inline
   * payload. {@code lease} asks for leases on what is missing.
   *
   * @param stamps what the source looks like now, one an index, see {@code sourceStamp} of the
   *     record; empty where the data set's validation does not ask for them
   * @param variants of the samples, one an index; empty where all are {@code variant}
   */
  record Read(
      int handle,
      Shape shape,
      boolean lease,
      int variant,
      int segment,
      int slot,
      int waitMillis,
      long[] indices,
      long[] stamps,
      int[] variants)
      implements LaneMessage {
    private static final int LEASE = 1;
    private static final int STAMPS = 2;
    private static final int VARIANTS = 4;

    /** Without stamps, of one variant. */
    public Read(
        int handle,
        Shape shape,
        boolean lease,
        int variant,
        int segment,
        int slot,
        int waitMillis,
        long[] indices) {
      this(
          handle,
          shape,
          lease,
          variant,
          segment,
          slot,
          waitMillis,
          indices,
          new long[0],
          new int[0]);
    }

    /** The same, but that what is missing is not leased to who asks. */
    public Read withoutLeases() {
      return new Read(
          handle, shape, false, variant, segment, slot, waitMillis, indices, stamps, variants);
    }

    /** The variant of the sample at a place of {@code indices}. */
    public int variantOf(int i) {
      return variants.length == 0 ? variant : variants[i];
    }

    @Override
    public int type() {
      return 6;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(24 + (indices.length + stamps.length) * 8 + variants.length * 2)
          .u32(handle)
          .u8(shape.ordinal())
          .u8(
              (lease ? LEASE : 0)
                  | (stamps.length > 0 ? STAMPS : 0)
                  | (variants.length > 0 ? VARIANTS : 0))
          .u16(variant)
          .u32(segment)
          .u32(slot)
          .u32(waitMillis)
          .u32(indices.length)
          .i64s(indices)
          .i64s(stamps)
          .u16s(variants)
          .frame(type(), requestId, 0);
    }

    static Read read(Body body) {
      int handle = body.u31("handle");
      Shape shape = constant(body, "shape", Shape.values());
      int flags = body.u8();
      if (flags > (LEASE | STAMPS | VARIANTS)) {
        throw body.malformed("flags=" + flags + ", allowed: 0–7");
      }
      int variant = body.u16();
      int segment = body.u32();
      int slot = body.u32();
      if (segment != NO_SLOT && (segment < 0 || slot < 0)) {
        throw body.malformed("segment=%d, slot=%d".formatted(segment, slot));
      }
      int waitMillis = body.u31("waitMillis");
      int count = body.count("count", 1, MAX_COUNT);
      return new Read(
          handle,
          shape,
          (flags & LEASE) != 0,
          variant,
          segment,
          slot,
          waitMillis,
          body.i64s(count),
          body.i64s((flags & STAMPS) != 0 ? count : 0),
          body.u16s((flags & VARIANTS) != 0 ? count : 0));
    }
  }

  /** What lies where in the payload of a {@link Batch}. */
  sealed interface Table {
    /** Nothing was hit. */
    record Empty() implements Table {}

    /** Per sample its record's place in the payload, zeros where it is no hit. */
    record Records(long[] offsets, int[] lengths) implements Table {}

    /** Header and descriptor of one record; they give every field's place. */
    record Collated(byte[] layout) implements Table {}

    /** Header and descriptor of one record, and where each field's values lie. */
    record Ragged(byte[] layout, List<RaggedField> fields) implements Table {}

    /**
     * One field of a ragged batch.
     *
     * @param rank number of dimensions
     * @param offset of the values in the payload, bytes
     * @param valueOffsets (count + 1) offsets in bytes from there
     * @param shapes (count × rank) extents
     */
    record RaggedField(int rank, long offset, long[] valueOffsets, long[] shapes) {}
  }

  /**
   * The answer to {@link Read}. When {@code inline}, the payload follows the message: {@link
   * #frame} announces it and the sender sends it behind; on the receiving side it is the rest of
   * the body, see {@link #payloadStart}.
   *
   * @param tooSmall the slot cannot take the batch; {@code payloadBytes} is needed at least
   * @param leases per sample with status LEASED_TO_YOU, in order
   * @param leaseVersions the sample version of each lease
   */
  record Batch(
      long generation,
      Shape shape,
      boolean inline,
      boolean tooSmall,
      long payloadBytes,
      Status[] statuses,
      long[] leases,
      long[] leaseVersions,
      Table table)
      implements LaneMessage {
    private static final int INLINE = 1;
    private static final int TOO_SMALL = 2;
    private static final Status[] STATUSES = Status.values();

    @Override
    public int type() {
      return 0x86;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      BodyWriter out = new BodyWriter(64 + statuses.length * 17);
      out.i64(generation)
          .u8(shape.ordinal())
          .u8((inline ? INLINE : 0) | (tooSmall ? TOO_SMALL : 0))
          .u16(0)
          .u32(statuses.length)
          .i64(payloadBytes);
      for (Status status : statuses) {
        out.u8(status.ordinal());
      }
      out.align(8);
      for (int i = 0; i < leases.length; i++) {
        out.i64(leases[i]).i64(leaseVersions[i]);
      }
      if (!tooSmall) {
        writeTable(out);
      }
      if (!inline) {
        return out.frame(type(), requestId, 0);
      }
      return out.align(PAYLOAD_ALIGNMENT).frame(type(), requestId, Math.toIntExact(payloadBytes));
    }

    private void writeTable(BodyWriter out) {
      if (table instanceof Table.Records records) {
        for (int i = 0; i < records.offsets.length; i++) {
          out.i64(records.offsets[i]).u32(records.lengths[i]).u32(0);
        }
      } else if (table instanceof Table.Collated collated) {
        out.u32(collated.layout.length).u32(0).bytes(collated.layout).align(8);
      } else if (table instanceof Table.Ragged ragged) {
        out.u32(ragged.layout.length).u32(ragged.fields.size()).bytes(ragged.layout).align(8);
        for (Table.RaggedField field : ragged.fields) {
          out.u32(field.rank).u32(0).i64(field.offset).i64s(field.valueOffsets).i64s(field.shapes);
        }
      } else if (shape == Shape.RECORDS) {
        for (int i = 0; i < statuses.length; i++) {
          out.i64(0).i64(0);
        }
      } else {
        out.i64(0);
      }
    }

    /**
     * Where the inline payload begins in the body that this message was decoded from.
     *
     * @param bodyBytes length of that body
     */
    public int payloadStart(int bodyBytes) {
      return Math.toIntExact(bodyBytes - payloadBytes);
    }

    static Batch read(Body body) {
      long generation = body.i64();
      Shape shape = constant(body, "shape", Shape.values());
      int flags = body.u8();
      body.zeros(2);
      int count = body.count("count", 1, MAX_COUNT);
      long payloadBytes = body.u63("payloadBytes");
      byte[] codes = body.bytes(count);
      body.align(8);
      Status[] statuses = new Status[count];
      int leased = 0;
      for (int i = 0; i < count; i++) {
        if (codes[i] < 0 || codes[i] > Status.LEASED_TO_OTHER.ordinal()) {
          throw body.malformed("status=" + codes[i] + ", allowed: 0–3");
        }
        statuses[i] = STATUSES[codes[i]];
        leased += statuses[i] == Status.LEASED_TO_YOU ? 1 : 0;
      }
      long[] pairs = body.i64s(2 * leased);
      long[] leases = new long[leased];
      long[] versions = new long[leased];
      for (int i = 0; i < leased; i++) {
        leases[i] = pairs[2 * i];
        versions[i] = pairs[2 * i + 1];
      }
      boolean inline = (flags & INLINE) != 0;
      boolean tooSmall = (flags & TOO_SMALL) != 0;
      Table table = tooSmall ? new Table.Empty() : readTable(body, shape, count);
      if (inline) {
        body.align(PAYLOAD_ALIGNMENT);
        if (body.remaining() != payloadBytes) {
          throw body.malformed(
              "payloadBytes=%d, but %d bytes follow".formatted(payloadBytes, body.remaining()));
        }
        body.view(body.remaining());
      }
      return new Batch(
          generation, shape, inline, tooSmall, payloadBytes, statuses, leases, versions, table);
    }

    private static Table readTable(Body body, Shape shape, int count) {
      if (shape == Shape.RECORDS) {
        long[] offsets = new long[count];
        int[] lengths = new int[count];
        for (int i = 0; i < count; i++) {
          offsets[i] = body.u63("offset");
          lengths[i] = body.u31("length");
          body.zeros(4);
        }
        return new Table.Records(offsets, lengths);
      }
      int layoutBytes = body.u31("layoutBytes");
      int fieldCount = body.count("fields", 0, shape == Shape.RAGGED ? MAX_FIELDS : 0);
      if (layoutBytes == 0) {
        return new Table.Empty();
      }
      byte[] layout = body.bytes(layoutBytes);
      body.align(8);
      if (shape == Shape.COLLATED) {
        return new Table.Collated(layout);
      }
      List<Table.RaggedField> fields = new ArrayList<>(fieldCount);
      for (int f = 0; f < fieldCount; f++) {
        int rank = body.count("rank", 0, MAX_RANK);
        body.zeros(4);
        long offset = body.u63("offset");
        fields.add(
            new Table.RaggedField(rank, offset, body.i64s(count + 1), body.i64s(count * rank)));
      }
      return new Table.Ragged(layout, List.copyOf(fields));
    }
  }

  /** One record that was missing. The record's bytes are a view of the frame's body. */
  record Fill(
      int handle, int variant, long index, long lease, long sampleVersion, ByteBuffer record)
      implements LaneMessage {
    @Override
    public int type() {
      return 7;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      ByteBuffer head = head(requestId);
      ByteBuffer whole = ByteBuffer.allocate(head.remaining() + record.remaining());
      return whole.put(head).put(record.duplicate()).flip();
    }

    /** The frame without the record, whose bytes the sender sends behind. */
    public ByteBuffer head(long requestId) {
      return new BodyWriter(40)
          .u32(handle)
          .u16(variant)
          .u16(0)
          .i64(index)
          .i64(lease)
          .i64(sampleVersion)
          .u32(record.remaining())
          .u32(0)
          .frame(type(), requestId, record.remaining());
    }

    static Fill read(Body body) {
      int handle = body.u31("handle");
      int variant = body.u16();
      body.zeros(2);
      long index = body.i64();
      long lease = body.i64();
      long sampleVersion = body.i64();
      int recordBytes = body.u31("recordBytes");
      body.zeros(4);
      return new Fill(handle, variant, index, lease, sampleVersion, body.view(recordBytes));
    }
  }

  /** The answer to {@link Fill}; {@code reason} is one word, empty when taken. */
  record FillReply(FillResult result, String reason) implements LaneMessage {
    @Override
    public int type() {
      return 0x87;
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

    static FillReply read(Body body) {
      FillResult result = constant(body, "result", FillResult.values());
      body.zeros(3);
      return new FillReply(result, body.utf8("reason", 0, 64));
    }
  }

  /** Starts the time of leases anew. The three arrays have one entry a lease. */
  record Renew(int handle, int variant, long[] indices, long[] leases, long[] sampleVersions)
      implements LaneMessage {
    @Override
    public int type() {
      return 8;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeLeases(type(), requestId, handle, variant, indices, leases, sampleVersions);
    }

    static Renew read(Body body) {
      int handle = body.u31("handle");
      int variant = body.u16();
      body.zeros(2);
      int count = body.count("count", 1, MAX_COUNT);
      body.zeros(4);
      long[] triples = body.i64s(3 * count);
      Renew renew = new Renew(handle, variant, new long[count], new long[count], new long[count]);
      for (int i = 0; i < count; i++) {
        renew.indices[i] = triples[3 * i];
        renew.leases[i] = triples[3 * i + 1];
        renew.sampleVersions[i] = triples[3 * i + 2];
      }
      return renew;
    }

    private Abandon toAbandon() {
      return new Abandon(handle, variant, indices, leases, sampleVersions);
    }
  }

  /** Gives leases back unfilled. The three arrays have one entry a lease. */
  record Abandon(int handle, int variant, long[] indices, long[] leases, long[] sampleVersions)
      implements LaneMessage {
    @Override
    public int type() {
      return 9;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeLeases(type(), requestId, handle, variant, indices, leases, sampleVersions);
    }
  }

  /** Asks what the node is doing. */
  record StatusRequest() implements LaneMessage {
    @Override
    public int type() {
      return 10;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(0).frame(type(), requestId, 0);
    }
  }

  /** What the node is doing, as one JSON object. */
  record StatusReply(String json) implements LaneMessage {
    @Override
    public int type() {
      return 0x8A;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(json.length() + 4).utf8(json).frame(type(), requestId, 0);
    }

    static StatusReply read(Body body) {
      return new StatusReply(body.utf8("json", 0, body.remaining()));
    }
  }

  /** An empty answer to MAPPED, DROP, RENEW, ABANDON or REPORT. */
  record Done(int type) implements LaneMessage {
    /** The empty answer to a request of that type. */
    public static Done to(LaneMessage request) {
      return new Done(request.type() | REPLY_BIT);
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(0).frame(type, requestId, 0);
    }
  }

  /** Any request may be answered by this. */
  record Failure(LaneException.Code code, boolean retryable, String message)
      implements LaneMessage {
    /** The answer that tells of an exception. */
    public static Failure of(LaneException e) {
      String message = String.valueOf(e.getMessage());
      return new Failure(
          e.code(),
          e.code().retryable(),
          message.length() <= MAX_MESSAGE_CHARS
              ? message
              : message.substring(0, MAX_MESSAGE_CHARS) + "…");
    }

    private static final int MAX_MESSAGE_CHARS = 4_000;

    public LaneException toException() {
      return new LaneException(code, message);
    }

    @Override
    public int type() {
      return ERROR_TYPE;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(message.length() + 16)
          .u16(code.wire())
          .u8(retryable ? 1 : 0)
          .u8(0)
          .utf8(message)
          .frame(type(), requestId, 0);
    }

    static Failure read(Body body) {
      LaneException.Code code = LaneException.Code.of(body.u16());
      boolean retryable = body.u8() == 1;
      body.zeros(1);
      return new Failure(code, retryable, body.utf8("message", 0, 32 << 10));
    }
  }

  /**
   * Told by a node, unasked, under request id 0: it goes, and closes the connection when nothing is
   * under way on it any more, at the latest after {@code closesInMillis}.
   */
  record Going(int closesInMillis) implements LaneMessage {
    public static final int TYPE = 55;

    @Override
    public int type() {
      return TYPE;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).u32(closesInMillis).u32(0).frame(type(), requestId, 0);
    }

    static Going read(Body body) {
      int closesInMillis = body.u31("closesInMillis");
      body.zeros(4);
      return new Going(closesInMillis);
    }
  }

  /**
   * Decodes a body. Buffers in the message are views of {@code bytes}.
   *
   * @param type from the frame's header
   * @param bytes the body, from position to limit; left untouched
   * @throws LaneException MALFORMED if it breaks the specification
   */
  static LaneMessage decode(int type, ByteBuffer bytes) {
    Body body = new Body(bytes, "message type " + type);
    int request = type & ~REPLY_BIT;
    LaneMessage message;
    if (type == ERROR_TYPE) {
      message = Failure.read(body);
    } else if (type == Going.TYPE) {
      message = Going.read(body);
    } else if (request == ReportMessage.TYPE) {
      message = type == request ? ReportMessage.read(body) : new Done(type);
    } else if (request < AdminMessage.FIRST_TYPE) {
      message = read(type, body);
    } else if (AdminMessage.isRequest(request)) {
      message = AdminMessage.read(type, body);
    } else if (request <= LAST_OF_VERSION_2) {
      message = PeerMessage.read(type, body);
    } else {
      throw body.unknown();
    }
    body.end();
    return message;
  }

  private static LaneMessage read(int type, Body body) {
    return switch (type) {
      case 1 -> Hello.read(body);
      case 0x81 -> HelloReply.read(body);
      case 2 -> Open.read(body);
      case 0x82 -> OpenReply.read(body);
      case 3 -> Segment.read(body);
      case 0x83 -> SegmentReply.read(body);
      case 4 -> Mapped.read(body);
      case 5 -> Drop.read(body);
      case 6 -> Read.read(body);
      case 0x86 -> Batch.read(body);
      case 7 -> Fill.read(body);
      case 0x87 -> FillReply.read(body);
      case 8 -> Renew.read(body);
      case 9 -> Renew.read(body).toAbandon();
      case 10 -> new StatusRequest();
      case 0x8A -> StatusReply.read(body);
      case 11 -> OwnersMessage.Request.read(body);
      case 0x8B -> OwnersMessage.Reply.read(body);
      case 12 -> AgreeMessage.Request.read(body);
      case 0x8C -> AgreeMessage.Reply.read(body);
      case 0x84, 0x85, 0x88, 0x89 -> new Done(type);
      default -> throw body.unknown();
    };
  }

  private static <E> E constant(Body body, String field, E[] values) {
    int code = body.u8();
    if (code >= values.length) {
      throw body.malformed(
          field
              + "="
              + code
              + ", allowed: 0–"
              + (values.length - 1)
              + " "
              + Arrays.toString(values));
    }
    return values[code];
  }

  private static ByteBuffer writeLeases(
      int type,
      long requestId,
      int handle,
      int variant,
      long[] indices,
      long[] leases,
      long[] sampleVersions) {
    BodyWriter out =
        new BodyWriter(16 + indices.length * 24)
            .u32(handle)
            .u16(variant)
            .u16(0)
            .u32(indices.length)
            .u32(0);
    for (int i = 0; i < indices.length; i++) {
      out.i64(indices[i]).i64(leases[i]).i64(sampleVersions[i]);
    }
    return out.frame(type, requestId, 0);
  }
}
