package io.trainingday.grid.discovery;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StreamCorruptedException;
import java.io.UncheckedIOException;
import java.util.UUID;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * What a node answers to a {@link RingQuestion}.
 *
 * @param ring the ring it is in, exactly when it is a member
 * @param knowsAsker whether its ring has the node that asks
 */
record Status(UUID node, Stage stage, @Nullable Ring ring, boolean knowsAsker) {
  /** How far a node is. */
  enum Stage {
    /** In no ring; it may join one. */
    LOOKING(0),
    /** About to found a ring unless somebody objects. */
    CLAIMING(1),
    /** Has made sure that nobody objects. */
    FOUNDING(2),
    /** In a ring. */
    MEMBER(3);

    /** Stands for it in an answer. */
    private final int code;

    Stage(int code) {
      this.code = code;
    }

    private static Stage of(int code) throws StreamCorruptedException {
      for (Stage stage : values()) {
        if (stage.code == code) {
          return stage;
        }
      }
      throw new StreamCorruptedException("no answer of a cache node: its stage is " + code);
    }
  }

  /** {@code TDR1}; another layout takes another one. */
  private static final int MAGIC = 0x54445231;

  /** The kind and major version of a record by which TLS refuses what is none. */
  private static final int TLS_ALERT = 0x1503;

  Status {
    if ((stage == Stage.MEMBER) != (ring != null)) {
      throw new IllegalArgumentException("stage=%s with ring=%s".formatted(stage, ring));
    }
  }

  static Status outside(UUID node, Stage stage) {
    return new Status(node, stage, null, false);
  }

  static Status member(UUID node, Ring ring, boolean knowsAsker) {
    return new Status(node, Stage.MEMBER, ring, knowsAsker);
  }

  /** Whether it may found a ring at any moment. */
  boolean claims() {
    return stage == Stage.CLAIMING || stage == Stage.FOUNDING;
  }

  byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(MAGIC);
      write(out, node);
      out.writeByte(stage.code);
      if (ring != null) {
        out.writeInt(ring.nodes());
        out.writeLong(ring.startMillis());
        out.writeLong(ring.coordinatorOrder());
        write(out, ring.coordinator());
        out.writeBoolean(knowsAsker);
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }

  /**
   * Reads what {@link #toBytes} wrote.
   *
   * @throws IOException if it is something else, or ends
   */
  static Status read(InputStream bytes) throws IOException {
    DataInputStream in = new DataInputStream(bytes);
    int magic = in.readInt();
    if (magic >>> 16 == TLS_ALERT) {
      throw new SSLException("a TLS alert to one who speaks no TLS");
    }
    if (magic != MAGIC) {
      throw new StreamCorruptedException(
          "no answer of a cache node: it starts with 0x%08x, not 0x%08x".formatted(magic, MAGIC));
    }
    UUID node = readId(in);
    Stage stage = Stage.of(in.readUnsignedByte());
    return stage == Stage.MEMBER
        ? member(
            node,
            new Ring(in.readInt(), in.readLong(), in.readLong(), readId(in)),
            in.readBoolean())
        : outside(node, stage);
  }

  private static void write(DataOutputStream out, UUID id) throws IOException {
    out.writeLong(id.getMostSignificantBits());
    out.writeLong(id.getLeastSignificantBits());
  }

  private static UUID readId(DataInputStream in) throws IOException {
    return new UUID(in.readLong(), in.readLong());
  }
}
