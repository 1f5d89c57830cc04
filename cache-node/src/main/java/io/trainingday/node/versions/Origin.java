package io.trainingday.node.versions;

import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.Life;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;

/**
 * Where the grid's version keys come from; one entry for the whole grid.
 *
 * @param begun whether the life has begun; before, it is a plan that its leader may give up
 * @param ancestors lineages that the life's lineage has replaced
 * @param version of the membership that is to begin it
 * @param leader who planned it
 * @param sources names of the nodes that give what they kept; none for a cold start
 */
record Origin(
    boolean begun, Life life, Set<Long> ancestors, long version, UUID leader, Set<String> sources) {
  private static final int LAYOUT = 1;

  Origin {
    ancestors = Set.copyOf(ancestors);
    sources = Set.copyOf(sources);
  }

  Origin begin() {
    return new Origin(true, life, ancestors, version, leader, sources);
  }

  /** The same that nobody works for any more. */
  Origin withdrawn() {
    return new Origin(false, life, ancestors, -1, leader, sources);
  }

  /** The same, that has replaced more. */
  Origin replacing(Set<Long> more) {
    Set<Long> all = new TreeSet<>(ancestors);
    all.addAll(more);
    all.remove(life.lineage());
    return new Origin(begun, life, all, version, leader, sources);
  }

  /**
   * Big-endian, texts as DataOutput.writeUTF has them.
   *
   * <pre>
   * u8 layout (1) | u8 begun | life: i64 lineage, i64 term, i64 id | u16 ancestors | i64 each
   * | i64 version | i64, i64 leader | u16 sources | text each
   * </pre>
   */
  byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeByte(LAYOUT);
      out.writeBoolean(begun);
      Kept.write(out, life);
      out.writeShort(ancestors.size());
      for (long ancestor : ancestors) {
        out.writeLong(ancestor);
      }
      out.writeLong(version);
      out.writeLong(leader.getMostSignificantBits());
      out.writeLong(leader.getLeastSignificantBits());
      out.writeShort(sources.size());
      for (String source : sources) {
        out.writeUTF(source);
      }
    } catch (IOException impossible) {
      throw new UncheckedIOException("an array refused bytes", impossible);
    }
    return bytes.toByteArray();
  }

  static Origin decode(byte[] bytes) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      int layout = in.readUnsignedByte();
      if (layout != LAYOUT) {
        throw Layout.newer("grid's origin", layout, LAYOUT);
      }
      boolean begun = in.readBoolean();
      Life life = Kept.readLife(in);
      Set<Long> ancestors = new TreeSet<>();
      for (int left = in.readUnsignedShort(); left > 0; left--) {
        ancestors.add(in.readLong());
      }
      long version = in.readLong();
      UUID leader = new UUID(in.readLong(), in.readLong());
      Set<String> sources = new TreeSet<>();
      for (int left = in.readUnsignedShort(); left > 0; left--) {
        sources.add(in.readUTF());
      }
      return new Origin(begun, life, ancestors, version, leader, sources);
    } catch (IOException e) {
      throw new IllegalStateException(
          "grid's origin of %d bytes is damaged: %s".formatted(bytes.length, e), e);
    }
  }
}
