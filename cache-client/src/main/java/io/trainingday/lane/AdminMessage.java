package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/** What an administrator asks of a node; types 16–31, from protocol version 2 on 40–59 too. */
// Arrays as in LaneMessage.
@SuppressWarnings("ArrayRecordComponent")
public sealed interface AdminMessage extends LaneMessage {
  int FIRST_TYPE = 16;
  int LAST_TYPE = 31;

  /** Indices in one message; a frame may hold fewer. */
  int MAX_INDICES = 1 << 24;

  /**
   * The source changed, so every sample did.
   *
   * @param requestId the same again changes nothing and gets the same answer
   * @param newSource whether {@code sourceLength} and {@code sourceDigest} are those of the new
   *     source; else they are 0 and empty, and the source counts as it is kept
   */
  record Publish(
      String name, String requestId, boolean newSource, long sourceLength, String sourceDigest)
      implements AdminMessage {
    @Override
    public int type() {
      return 16;
    }

    @Override
    public ByteBuffer frame(long requestIdOfFrame) {
      return new BodyWriter(128)
          .utf8(name)
          .utf8(requestId)
          .u8(newSource ? 1 : 0)
          .i64(sourceLength)
          .utf8(sourceDigest)
          .frame(type(), requestIdOfFrame, 0);
    }

    static Publish read(Body body) {
      String name = readName(body);
      String requestId = readRequestId(body);
      int newSource = body.u8();
      long sourceLength = body.u63("sourceLength");
      String sourceDigest = body.utf8("sourceDigest", 0, 1_024);
      if (newSource > 1 || (newSource == 0 && (sourceLength != 0 || !sourceDigest.isEmpty()))) {
        throw body.malformed(
            "newSource=%d, allowed: 1, or 0 without source length and digest".formatted(newSource));
      }
      return new Publish(name, requestId, newSource == 1, sourceLength, sourceDigest);
    }
  }

  /** Some samples changed in the source. */
  record PublishChanged(String name, String requestId, long[] indices) implements AdminMessage {
    @Override
    public int type() {
      return 17;
    }

    @Override
    public ByteBuffer frame(long requestIdOfFrame) {
      return new BodyWriter(128 + indices.length * 8)
          .utf8(name)
          .utf8(requestId)
          .u32(indices.length)
          .i64s(indices)
          .frame(type(), requestIdOfFrame, 0);
    }

    static PublishChanged read(Body body) {
      return new PublishChanged(readName(body), readRequestId(body), readIndices(body));
    }
  }

  /**
   * What every sample is made of now; those whose stamp is another than in the manifest published
   * last have changed.
   *
   * @param stamps of the samples at the same places of {@code indices}, such as modification time
   *     and size
   */
  record PublishManifest(String name, String requestId, long[] indices, String[] stamps)
      implements AdminMessage {
    public static final int MAX_STAMP_BYTES = 1_024;

    @Override
    public int type() {
      return 18;
    }

    @Override
    public ByteBuffer frame(long requestIdOfFrame) {
      BodyWriter out =
          new BodyWriter(128 + indices.length * 40)
              .utf8(name)
              .utf8(requestId)
              .u32(indices.length)
              .i64s(indices);
      for (String stamp : stamps) {
        out.utf8(stamp);
      }
      return out.frame(type(), requestIdOfFrame, 0);
    }

    static PublishManifest read(Body body) {
      String name = readName(body);
      String requestId = readRequestId(body);
      long[] indices = readIndices(body);
      if ((long) indices.length * Integer.BYTES > body.remaining()) {
        throw body.malformed("%d stamps do not fit the body".formatted(indices.length));
      }
      String[] stamps = new String[indices.length];
      for (int i = 0; i < stamps.length; i++) {
        stamps[i] = body.utf8("stamp", 0, MAX_STAMP_BYTES);
      }
      return new PublishManifest(name, requestId, indices, stamps);
    }
  }

  /** The records of some samples are wrong, the samples are not. */
  record Invalidate(String name, long[] indices) implements AdminMessage {
    @Override
    public int type() {
      return 19;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(128 + indices.length * 8)
          .utf8(name)
          .u32(indices.length)
          .i64s(indices)
          .frame(type(), requestId, 0);
    }

    static Invalidate read(Body body) {
      return new Invalidate(readName(body), readIndices(body));
    }
  }

  /** The answer to the four requests above, whose type it has with the reply bit. */
  record Published(int type, long generation) implements AdminMessage {
    /** The answer to that request. */
    public static Published to(AdminMessage request, long generation) {
      return new Published(request.type() | REPLY_BIT, generation);
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).i64(generation).frame(type, requestId, 0);
    }
  }

  /** Asks for all data sets of the tenant. */
  record Datasets() implements AdminMessage {
    @Override
    public int type() {
      return 20;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(0).frame(type(), requestId, 0);
    }
  }

  /** All data sets of the tenant, as one JSON array. */
  record DatasetsReply(String json) implements AdminMessage {
    @Override
    public int type() {
      return 0x94;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(json.length() + 4).utf8(json).frame(type(), requestId, 0);
    }
  }

  /**
   * Changes settings of a data set that may change while it is in use.
   *
   * @param settings values by name, 1–{@value #MAX_SETTINGS}
   */
  record Configure(String name, SortedMap<String, String> settings) implements AdminMessage {
    public static final int MAX_SETTINGS = 32;

    public Configure {
      settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
    }

    @Override
    public int type() {
      return 21;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeSettings(new BodyWriter(256).utf8(name), settings).frame(type(), requestId, 0);
    }

    static Configure read(Body body) {
      return new Configure(readName(body), readSettings(body, 1));
    }
  }

  /** All settings that are kept of the data set from now on. */
  record Configured(SortedMap<String, String> settings) implements AdminMessage {
    public Configured {
      settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
    }

    @Override
    public int type() {
      return 0x95;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return writeSettings(new BodyWriter(256), settings).frame(type(), requestId, 0);
    }
  }

  /** Asks where a sample is, and why it was missed last. */
  record Explain(String name, long index) implements AdminMessage {
    @Override
    public int type() {
      return 40;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(128).utf8(name).i64(index).frame(type(), requestId, 0);
    }

    static Explain read(Body body) {
      return new Explain(readName(body), body.u63("index"));
    }
  }

  /**
   * Has all records of all nodes read, begins that, or ends it.
   *
   * @param action what to do
   * @param bytesPerSecond that each node reads at most; 0: no limit. Of a start alone
   */
  record Verify(Action action, long bytesPerSecond) implements AdminMessage {
    /** What to do. */
    public enum Action {
      /** Begin anew. */
      START,
      /** Tell how far it is. */
      LOOK,
      /** End it. */
      STOP
    }

    @Override
    public int type() {
      return 41;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      int code = action == Action.START ? 0 : action == Action.LOOK ? 1 : 2;
      return new BodyWriter(16)
          .u8(code)
          .u8(0)
          .u16(0)
          .u32(0)
          .i64(bytesPerSecond)
          .frame(type(), requestId, 0);
    }

    static Verify read(Body body) {
      int code = body.u8();
      Action action =
          switch (code) {
            case 0 -> Action.START;
            case 1 -> Action.LOOK;
            case 2 -> Action.STOP;
            default -> throw body.malformed("action=%d, allowed: 0–2".formatted(code));
          };
      body.zeros(7);
      return new Verify(action, body.u63("bytesPerSecond"));
    }
  }

  /**
   * The node is to hand over what it can.
   *
   * @param stop whether it is to stop then; else it stays, without serving trainers
   */
  record Drain(boolean stop) implements AdminMessage {
    @Override
    public int type() {
      return 56;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).u8(stop ? 1 : 0).u8(0).u16(0).u32(0).frame(type(), requestId, 0);
    }

    static Drain read(Body body) {
      int stop = body.u8();
      if (stop > 1) {
        throw body.malformed("stop=%d, allowed: 0, 1".formatted(stop));
      }
      body.zeros(7);
      return new Drain(stop == 1);
    }
  }

  /** The answer to the requests above, whose type it has with the reply bit. */
  record Told(int type, String json) implements AdminMessage {
    /** The answer to that request. */
    public static Told to(AdminMessage request, String json) {
      return new Told(request.type() | REPLY_BIT, json);
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(json.length() + 4).utf8(json).frame(type, requestId, 0);
    }
  }

  /** Whether a frame's type is one of these requests, whose bodies may be long. */
  static boolean isRequest(int type) {
    return (type >= FIRST_TYPE && type <= LAST_TYPE)
        || (type >= FIRST_OF_VERSION_2
            && type <= LAST_OF_VERSION_2
            && type != PeerMessage.PeerAsk.TYPE
            && type != ReportMessage.TYPE
            && type != Going.TYPE);
  }

  /** Reads the body of a message whose type is in this range, the reply bit aside. */
  static AdminMessage read(int type, Body body) {
    return switch (type) {
      case 16 -> Publish.read(body);
      case 17 -> PublishChanged.read(body);
      case 18 -> PublishManifest.read(body);
      case 19 -> Invalidate.read(body);
      case 20 -> new Datasets();
      case 21 -> Configure.read(body);
      case 40 -> Explain.read(body);
      case 41 -> Verify.read(body);
      case 56 -> Drain.read(body);
      case 0xA8, 0xA9, 0xB8 -> new Told(type, body.utf8("json", 0, body.remaining()));
      case 0x90, 0x91, 0x92, 0x93 -> new Published(type, body.i64());
      case 0x94 -> new DatasetsReply(body.utf8("json", 0, body.remaining()));
      case 0x95 -> new Configured(readSettings(body, 0));
      default -> throw body.unknown();
    };
  }

  private static BodyWriter writeSettings(BodyWriter out, SortedMap<String, String> settings) {
    out.u32(settings.size());
    settings.forEach((setting, value) -> out.utf8(setting).utf8(value));
    return out;
  }

  private static SortedMap<String, String> readSettings(Body body, int least) {
    int count = body.count("count", least, Configure.MAX_SETTINGS);
    SortedMap<String, String> settings = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      String setting = body.utf8("setting", 1, 255);
      if (settings.put(setting, body.utf8("value", 0, 255)) != null) {
        throw body.malformed("setting=\"%s\" is there twice".formatted(setting));
      }
    }
    return settings;
  }

  private static String readName(Body body) {
    return body.utf8("name", 1, 255);
  }

  private static String readRequestId(Body body) {
    return body.utf8("requestId", 1, 64);
  }

  private static long[] readIndices(Body body) {
    return body.i64s(body.count("count", 1, MAX_INDICES));
  }
}
