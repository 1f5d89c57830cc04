package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.util.regex.Pattern;

/** What trainers agree on: the first value offered under a key is everyone's. */
// Arrays as in LaneMessage.
@SuppressWarnings("ArrayRecordComponent")
public sealed interface AgreeMessage extends LaneMessage {
  int MAX_VALUE_BYTES = 512 << 10;

  /** Offers a value; an empty one asks for what has been offered. */
  record Request(String key, byte[] value) implements AgreeMessage {
    private static final int MAX_KEY_LENGTH = 512;
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9._/-]*");

    @Override
    public int type() {
      return 12;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return write(new BodyWriter(64 + value.length).utf8(key), value).frame(type(), requestId, 0);
    }

    static Request read(Body body) {
      String key = body.utf8("key", 1, MAX_KEY_LENGTH);
      if (!KEY.matcher(key).matches()) {
        throw body.malformed("key='%s', allowed: A–Z a–z 0–9 . _ - /".formatted(key));
      }
      return new Request(key, readValue(body));
    }
  }

  /** What has been agreed on; empty: nobody has offered anything yet. */
  record Reply(byte[] value) implements AgreeMessage {
    @Override
    public int type() {
      return 0x8C;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return write(new BodyWriter(16 + value.length), value).frame(type(), requestId, 0);
    }

    static Reply read(Body body) {
      return new Reply(readValue(body));
    }
  }

  private static BodyWriter write(BodyWriter out, byte[] value) {
    return out.u32(value.length).u32(0).bytes(value);
  }

  private static byte[] readValue(Body body) {
    int count = body.count("bytes", 0, MAX_VALUE_BYTES);
    body.zeros(4);
    return body.bytes(count);
  }
}
