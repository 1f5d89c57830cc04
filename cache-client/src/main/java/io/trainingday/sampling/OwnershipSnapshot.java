package io.trainingday.sampling;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which hosts own which partition of the samples at one time: what all ranks of an epoch take as
 * given, whatever becomes of the grid meanwhile. Immutable; about two bytes a partition and copy.
 */
public final class OwnershipSnapshot {
  /** The fewest partitions of a grid. */
  public static final int MIN_PARTITIONS = 32;

  /** The most partitions of a grid. */
  public static final int MAX_PARTITIONS = 32_768;

  static final int MAX_HOST_BYTES = 512;
  private static final int MAX_HOSTS = 65_535;
  private static final int MAX_COPIES = 3;
  private static final int MAGIC = 0x53504454;
  private static final int VERSION = 1;

  private final long topologyVersion;
  private final List<String> hosts;

  /** Per partition the places of its copies among the hosts, the primary's first. */
  private final char[][] copies;

  private OwnershipSnapshot(long topologyVersion, List<String> hosts, char[][] copies) {
    this.topologyVersion = topologyVersion;
    this.hosts = List.copyOf(hosts);
    this.copies = copies;
  }

  /**
   * A snapshot of who holds what.
   *
   * @param topologyVersion of the ownership this was taken from
   * @param copies per partition the ids of the hosts with a copy of it, the primary's first; the
   *     same one may stand there again, and counts once; of different ones the first three count
   * @throws IllegalArgumentException if the partitions are no power of two from 32 to 32,768, one
   *     has no copy, or a host's id is empty or longer than 512 bytes
   */
  public static OwnershipSnapshot of(long topologyVersion, List<List<String>> copies) {
    requirePartitions(copies.size());
    List<List<String>> kept = new ArrayList<>(copies.size());
    for (List<String> holders : copies) {
      kept.add(holders.stream().distinct().limit(MAX_COPIES).toList());
    }
    List<String> hosts =
        kept.stream()
            .flatMap(List::stream)
            .distinct()
            .sorted((a, b) -> Arrays.compareUnsigned(utf8(a), utf8(b)))
            .toList();
    if (hosts.size() > MAX_HOSTS) {
      throw malformed("hosts=%d, allowed: 1–%d".formatted(hosts.size(), MAX_HOSTS));
    }
    Map<String, Integer> places = new HashMap<>();
    for (String host : hosts) {
      requireHost(host);
      places.put(host, places.size());
    }
    char[][] table = new char[kept.size()][];
    for (int p = 0; p < table.length; p++) {
      List<String> holders = kept.get(p);
      if (holders.isEmpty()) {
        throw malformed("partition=%d has no copy".formatted(p));
      }
      table[p] = new char[holders.size()];
      for (int i = 0; i < table[p].length; i++) {
        table[p][i] = (char) (int) places.getOrDefault(holders.get(i), 0);
      }
    }
    return new OwnershipSnapshot(topologyVersion, hosts, table);
  }

  /**
   * Reads what {@link #toBytes} wrote, here or in Python.
   *
   * @throws IllegalArgumentException if it is nothing of the kind
   */
  public static OwnershipSnapshot parse(byte[] bytes) {
    try {
      return read(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
    } catch (BufferUnderflowException e) {
      throw new IllegalArgumentException(
          "snapshot is malformed: it ends after %d bytes, in the middle of a value"
              .formatted(bytes.length),
          e);
    }
  }

  private static OwnershipSnapshot read(ByteBuffer in) {
    int magic = in.getInt();
    int version = Short.toUnsignedInt(in.getShort());
    if (magic != MAGIC || version != VERSION) {
      throw malformed("magic=%08x version=%d, not that of one".formatted(magic, version));
    }
    if (in.getShort() != 0) {
      throw malformed("bytes 6 and 7 are not 0");
    }
    long topologyVersion = in.getLong();
    int partitions = in.getInt();
    requirePartitions(partitions);
    int count = in.getInt();
    if (count < 1 || count > MAX_HOSTS) {
      throw malformed(
          "hosts=%d, allowed: 1–%d".formatted(Integer.toUnsignedLong(count), MAX_HOSTS));
    }
    List<String> hosts = new ArrayList<>();
    byte[] former = new byte[0];
    for (int h = 0; h < count; h++) {
      int length = in.getInt();
      if (length < 0 || length > in.remaining()) {
        throw malformed(
            "host %d has %d bytes, %d are left"
                .formatted(h, Integer.toUnsignedLong(length), in.remaining()));
      }
      byte[] host = new byte[length];
      in.get(host);
      if (host.length > MAX_HOST_BYTES || Arrays.compareUnsigned(former, host) >= 0) {
        throw malformed(
            "host %d is empty, too long or not in ascending order of bytes".formatted(h));
      }
      hosts.add(text(host));
      former = host;
    }
    char[][] copies = new char[partitions][];
    for (int p = 0; p < partitions; p++) {
      copies[p] = holders(in, p, count);
    }
    if (in.hasRemaining()) {
      throw malformed("%d bytes follow its end".formatted(in.remaining()));
    }
    return new OwnershipSnapshot(topologyVersion, hosts, copies);
  }

  private static char[] holders(ByteBuffer in, int partition, int hosts) {
    int count = Byte.toUnsignedInt(in.get());
    if (count < 1 || count > MAX_COPIES) {
      throw malformed(
          "partition=%d copies=%d, allowed: 1–%d".formatted(partition, count, MAX_COPIES));
    }
    char[] holders = new char[count];
    for (int i = 0; i < count; i++) {
      holders[i] = in.getChar();
      if (holders[i] >= hosts) {
        throw malformed(
            "partition=%d host=%d >= hosts=%d".formatted(partition, (int) holders[i], hosts));
      }
      for (int earlier = 0; earlier < i; earlier++) {
        if (holders[earlier] == holders[i]) {
          throw malformed("partition=%d has a host twice".formatted(partition));
        }
      }
    }
    return holders;
  }

  /** The bytes that other ranks read, see {@code contract/plan.md}. */
  public byte[] toBytes() {
    int size = 24;
    for (String host : hosts) {
      size += Integer.BYTES + utf8(host).length;
    }
    for (char[] holders : copies) {
      size += 1 + holders.length * Character.BYTES;
    }
    ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(MAGIC).putShort((short) VERSION).putShort((short) 0).putLong(topologyVersion);
    out.putInt(copies.length).putInt(hosts.size());
    for (String host : hosts) {
      byte[] text = utf8(host);
      out.putInt(text.length).put(text);
    }
    for (char[] holders : copies) {
      out.put((byte) holders.length);
      for (char host : holders) {
        out.putChar(host);
      }
    }
    return out.array();
  }

  /** A number that tells one snapshot from another. */
  public long digest() {
    return digest(toBytes());
  }

  /** Of the ownership it was taken from. */
  public long topologyVersion() {
    return topologyVersion;
  }

  /** The ids of the hosts that own something, in ascending order of their bytes. */
  public List<String> hosts() {
    return hosts;
  }

  /** How many partitions there are. */
  public int partitions() {
    return copies.length;
  }

  /** The ids of the hosts with a copy of a partition, the primary's first. */
  public List<String> copies(int partition) {
    List<String> holders = new ArrayList<>();
    for (char host : copies[partition]) {
      holders.add(hosts.get(host));
    }
    return holders;
  }

  /**
   * The partition of a sample, as {@code contract/placement.md} has it.
   *
   * @param partitions a power of two
   */
  public static int partitionOf(long index, int partitions) {
    int hash = Long.hashCode(index);
    return (hash ^ (hash >>> 16)) & (partitions - 1);
  }

  /** The place of a copy's host among {@link #hosts}; −1 where there is no such copy. */
  int host(int partition, int copy) {
    return copy < copies[partition].length ? copies[partition][copy] : -1;
  }

  /** How many copies the partition with the most of them has. */
  int maxCopies() {
    int most = 0;
    for (char[] holders : copies) {
      most = Math.max(most, holders.length);
    }
    return most;
  }

  /** The first eight bytes of SHA-256. */
  static long digest(byte[]... parts) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      for (byte[] part : parts) {
        sha.update(part);
      }
      return ByteBuffer.wrap(sha.digest()).order(ByteOrder.LITTLE_ENDIAN).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String text(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("snapshot is malformed: a host's id is no UTF-8", e);
    }
  }

  private static void requirePartitions(int partitions) {
    if (partitions < MIN_PARTITIONS
        || partitions > MAX_PARTITIONS
        || Integer.bitCount(partitions) != 1) {
      throw malformed(
          "partitions=%d, allowed: a power of two from %d to %d"
              .formatted(Integer.toUnsignedLong(partitions), MIN_PARTITIONS, MAX_PARTITIONS));
    }
  }

  private static void requireHost(String host) {
    int length = utf8(host).length;
    if (length < 1 || length > MAX_HOST_BYTES) {
      throw malformed(
          "host id '%s' of %d bytes, allowed: 1–%d".formatted(host, length, MAX_HOST_BYTES));
    }
  }

  private static IllegalArgumentException malformed(String why) {
    return new IllegalArgumentException("snapshot is malformed: " + why);
  }
}
