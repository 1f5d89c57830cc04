package io.trainingday.node.membership;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of letters. Plain, as those of the version keys: nodes of two releases understand each
 * other without each other's classes. Numbers are big-endian.
 *
 * <pre>
 * letter:     u8 layout (1) | u8 kind | …
 * 1 note:     u8 asks | membership view | u8 attempted | u8 formed is known [| membership formed]
 *             | u16 attempts | membership per attempt | i64 longest serving lease in ns
 * 2 question: i64 number | i64 data set | i64 incarnation | i64 generation | i64 revision
 * 3 answer:   i64 number | u8 confirmed
 * membership: i64 version | u16 nodes | per node: i64, i64 id | name as DataOutput.writeUTF has it
 * </pre>
 */
final class LetterCodec {
  private static final int LAYOUT = 1;
  private static final int NOTE = 1;
  private static final int QUESTION = 2;
  private static final int ANSWER = 3;

  private LetterCodec() {}

  static byte[] encode(Letter letter) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeByte(LAYOUT);
      if (letter instanceof Letter.Note note) {
        out.writeByte(NOTE);
        write(out, note);
      } else if (letter instanceof Letter.Question question) {
        out.writeByte(QUESTION);
        out.writeLong(question.number());
        out.writeLong(question.change().dataset());
        out.writeLong(question.change().incarnation());
        out.writeLong(question.change().generation());
        out.writeLong(question.change().revision());
      } else if (letter instanceof Letter.Answer answer) {
        out.writeByte(ANSWER);
        out.writeLong(answer.number());
        out.writeBoolean(answer.confirmed());
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException("an array refused bytes", impossible);
    }
    return bytes.toByteArray();
  }

  private static void write(DataOutputStream out, Letter.Note note) throws IOException {
    out.writeBoolean(note.asks());
    write(out, note.view());
    out.writeBoolean(note.attempted());
    Membership formed = note.formed();
    out.writeBoolean(formed != null);
    if (formed != null) {
      write(out, formed);
    }
    out.writeShort(note.attempts().size());
    for (Membership attempt : note.attempts()) {
      write(out, attempt);
    }
    out.writeLong(note.longestLeaseNanos());
  }

  private static void write(DataOutputStream out, Membership membership) throws IOException {
    out.writeLong(membership.version());
    out.writeShort(membership.size());
    for (Map.Entry<UUID, String> node : membership.nodes().entrySet()) {
      out.writeLong(node.getKey().getMostSignificantBits());
      out.writeLong(node.getKey().getLeastSignificantBits());
      out.writeUTF(node.getValue());
    }
  }

  /** The letter, or null if a newer release wrote it in a way this one cannot read. */
  static @Nullable Letter decode(byte[] bytes) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      if (in.readUnsignedByte() != LAYOUT) {
        return null;
      }
      return switch (in.readUnsignedByte()) {
        case NOTE -> readNote(in);
        case QUESTION ->
            new Letter.Question(
                in.readLong(),
                new Change(in.readLong(), in.readLong(), in.readLong(), in.readLong()));
        case ANSWER -> new Letter.Answer(in.readLong(), in.readBoolean());
        default -> null;
      };
    } catch (IOException e) {
      throw new UncheckedIOException("a letter of %d bytes ends early".formatted(bytes.length), e);
    }
  }

  private static Letter.Note readNote(DataInputStream in) throws IOException {
    boolean asks = in.readBoolean();
    Membership view = readMembership(in);
    boolean attempted = in.readBoolean();
    Membership formed = in.readBoolean() ? readMembership(in) : null;
    List<Membership> attempts = new ArrayList<>();
    for (int left = in.readUnsignedShort(); left > 0; left--) {
      attempts.add(readMembership(in));
    }
    return new Letter.Note(asks, view, attempted, formed, attempts, in.readLong());
  }

  private static Membership readMembership(DataInputStream in) throws IOException {
    long version = in.readLong();
    Map<UUID, String> nodes = new HashMap<>();
    for (int left = in.readUnsignedShort(); left > 0; left--) {
      nodes.put(new UUID(in.readLong(), in.readLong()), in.readUTF());
    }
    return new Membership(version, nodes);
  }
}
