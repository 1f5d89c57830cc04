package io.trainingday.node.recovery;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What one node keeps of who the grid was, immutable.
 *
 * @param node whose it is
 * @param life the last one this node was in, whose version keys it keeps; null if none yet
 * @param ancestors lineages that the life's lineage has replaced
 * @param formed the last membership of the life this node knows to have been formed; null before
 * @param attempts memberships of the life that may have been formed since
 * @param promises memberships of lives that may have begun since, with this node in them
 * @param left whether the node left the grid in order, so that others may have gone on
 */
public record Kept(
    String node,
    @Nullable Life life,
    Set<Long> ancestors,
    @Nullable Electorate formed,
    List<Electorate> attempts,
    List<Electorate> promises,
    boolean left) {
  private static final int LAYOUT = 1;

  public Kept {
    ancestors = Set.copyOf(ancestors);
    attempts = List.copyOf(attempts);
    promises = List.copyOf(promises);
  }

  /** Of a node that has been in no grid. */
  public static Kept nothing(String node) {
    return new Kept(node, null, Set.of(), null, List.of(), List.of(), false);
  }

  /** The same with other promises. */
  public Kept promising(List<Electorate> next) {
    return new Kept(node, life, ancestors, formed, attempts, next, left);
  }

  /** The same of a node that leaves. */
  public Kept leaving() {
    return new Kept(node, life, ancestors, formed, attempts, promises, true);
  }

  /**
   * The bytes, for a file and for other nodes. Numbers are big-endian, texts as DataOutput.writeUTF
   * has them.
   *
   * <pre>
   * kept:       u8 layout (1) | text node | u8 has a life [| life] | u16 ancestors | i64 per ancestor
   *             | u8 has formed [| electorate] | electorates attempts | electorates promises | u8 left
   * life:       i64 lineage | i64 term | i64 id
   * electorate: life | i64 version | u16 nodes | text per node
   * electorates: u16 count | electorate each
   * </pre>
   */
  public byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeByte(LAYOUT);
      out.writeUTF(node);
      out.writeBoolean(life != null);
      if (life != null) {
        write(out, life);
      }
      out.writeShort(ancestors.size());
      for (long ancestor : new TreeSet<>(ancestors)) {
        out.writeLong(ancestor);
      }
      out.writeBoolean(formed != null);
      if (formed != null) {
        write(out, formed);
      }
      write(out, attempts);
      write(out, promises);
      out.writeBoolean(left);
    } catch (IOException impossible) {
      throw new UncheckedIOException("an array refused bytes", impossible);
    }
    return bytes.toByteArray();
  }

  /** Writes a life as {@link #encode} has it. */
  public static void write(DataOutputStream out, Life life) throws IOException {
    out.writeLong(life.lineage());
    out.writeLong(life.term());
    out.writeLong(life.id());
  }

  private static void write(DataOutputStream out, Electorate electorate) throws IOException {
    write(out, electorate.life());
    out.writeLong(electorate.version());
    out.writeShort(electorate.nodes().size());
    for (String name : new TreeSet<>(electorate.nodes())) {
      out.writeUTF(name);
    }
  }

  private static void write(DataOutputStream out, List<Electorate> electorates) throws IOException {
    out.writeShort(electorates.size());
    for (Electorate electorate : electorates) {
      write(out, electorate);
    }
  }

  /**
   * Reads what {@link #encode} wrote.
   *
   * @throws IOException when these are no such bytes, or those of a newer release
   */
  public static Kept decode(byte[] bytes) throws IOException {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      int layout = in.readUnsignedByte();
      if (layout != LAYOUT) {
        throw new IOException("it has layout %d, this node reads %d".formatted(layout, LAYOUT));
      }
      String node = in.readUTF();
      Life life = in.readBoolean() ? readLife(in) : null;
      Set<Long> ancestors = new TreeSet<>();
      for (int left = in.readUnsignedShort(); left > 0; left--) {
        ancestors.add(in.readLong());
      }
      Electorate formed = in.readBoolean() ? readElectorate(in) : null;
      Kept kept =
          new Kept(
              node,
              life,
              ancestors,
              formed,
              readElectorates(in),
              readElectorates(in),
              in.readBoolean());
      if (in.available() > 0) {
        throw new IOException(in.available() + " bytes too many");
      }
      return kept;
    } catch (EOFException e) {
      throw new IOException("%d bytes, it ends early".formatted(bytes.length), e);
    }
  }

  /** Reads a life as {@link #encode} has it. */
  public static Life readLife(DataInputStream in) throws IOException {
    return new Life(in.readLong(), in.readLong(), in.readLong());
  }

  private static Electorate readElectorate(DataInputStream in) throws IOException {
    Life life = readLife(in);
    long version = in.readLong();
    Set<String> nodes = new TreeSet<>();
    for (int left = in.readUnsignedShort(); left > 0; left--) {
      nodes.add(in.readUTF());
    }
    return new Electorate(life, version, nodes);
  }

  private static List<Electorate> readElectorates(DataInputStream in) throws IOException {
    List<Electorate> electorates = new ArrayList<>();
    for (int left = in.readUnsignedShort(); left > 0; left--) {
      electorates.add(readElectorate(in));
    }
    return electorates;
  }
}
