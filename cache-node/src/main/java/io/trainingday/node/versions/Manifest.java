package io.trainingday.node.versions;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/**
 * What a publisher says a data set's samples are made of: a stamp an index, of which 8 bytes of a
 * hash are kept. A change is overlooked if both stamps have the same 8 bytes: once in 2^64.
 *
 * <p>Kept are chunks of 16,384 indices, 8 bytes an index up to the chunk's last one known, on every
 * node: 8 MB for a million samples. A manifest need not name all samples; those it leaves out are
 * kept as they were, so that a large one can be published in parts.
 *
 * <p>An index that is named for the first time has not changed: there is nothing it could differ
 * from. Records of it may be there, made from the source as it was; that the source is still the
 * same is what the first manifest states. So the first one changes nothing, and is kept.
 *
 * <pre>
 * chunk: u16 layout (1) | i64 incarnation | per index from the chunk's first: i64 hash, 0 = unknown
 * </pre>
 *
 * Numbers are big-endian.
 */
final class Manifest {
  /** Stamps in one manifest, at most. */
  static final int MAX_STAMPS = 1 << 22;

  static final int MAX_STAMP_BYTES = 1 << 10;

  private static final int LAYOUT = 1;
  private static final int HEADER_BYTES = Short.BYTES + Long.BYTES;
  private static final int CHUNK = 1 << 14;

  private final long[] indices;
  private final long[] hashes;

  private Manifest(long[] indices, long[] hashes) {
    this.indices = indices;
    this.hashes = hashes;
  }

  /**
   * @throws DatasetRefusedException MALFORMED for more than {@link #MAX_STAMPS}, an index named
   *     twice, a stamp that is empty or too long
   */
  static Manifest of(long[] indices, String[] stamps) {
    if (indices.length != stamps.length) {
      throw Checks.malformed(
          "%d indices and %d stamps, give one stamp an index"
              .formatted(indices.length, stamps.length));
    }
    if (indices.length > MAX_STAMPS) {
      throw Checks.malformed(
          "%d stamps, take at most %d and publish the manifest in parts"
              .formatted(indices.length, MAX_STAMPS));
    }
    int[] order =
        IntStream.range(0, indices.length)
            .boxed()
            .sorted(Comparator.comparingLong(i -> indices[i]))
            .mapToInt(i -> i)
            .toArray();
    long[] sorted = new long[indices.length];
    long[] hashes = new long[indices.length];
    for (int i = 0; i < order.length; i++) {
      sorted[i] = indices[order[i]];
      if (i > 0 && sorted[i] == sorted[i - 1]) {
        throw Checks.malformed("index=%d is in the manifest twice".formatted(sorted[i]));
      }
      String stamp = stamps[order[i]];
      Checks.text("stamp", stamp, 1, MAX_STAMP_BYTES);
      long hash = Checks.hash(stamp);
      hashes[i] = hash == 0 ? 1 : hash;
    }
    return new Manifest(sorted, hashes);
  }

  boolean isEmpty() {
    return indices.length == 0;
  }

  long least() {
    return indices[0];
  }

  long most() {
    return indices[indices.length - 1];
  }

  /** Tells this manifest from another one. */
  long content() {
    MessageDigest digest = Checks.sha256();
    ByteBuffer pair = ByteBuffer.allocate(2 * Long.BYTES);
    for (int i = 0; i < indices.length; i++) {
      digest.update(pair.clear().putLong(indices[i]).putLong(hashes[i]).flip());
    }
    return ByteBuffer.wrap(digest.digest()).getLong();
  }

  /** The keys of the chunks it touches. */
  Set<String> chunks(long dataset) {
    Set<String> chunks = new TreeSet<>();
    for (long index : indices) {
      chunks.add(key(dataset, index));
    }
    return chunks;
  }

  private static String key(long dataset, long index) {
    return chunkKey(dataset, index / CHUNK);
  }

  /** The key of the n-th chunk of a data set. */
  static String chunkKey(long dataset, long number) {
    return MetaStore.hex(dataset) + "/" + Long.toHexString(number);
  }

  /** How many chunks a data set may have. */
  static long chunkCount(long samples) {
    return (samples + CHUNK - 1) / CHUNK;
  }

  /**
   * What differs from what is kept.
   *
   * @param changed the samples whose stamps differ
   * @param chunks those that are to be kept instead
   * @param growth bytes they have more
   */
  record Difference(Roaring64NavigableMap changed, Map<String, byte[]> chunks, long growth) {}

  /**
   * @param kept what is kept of {@link #chunks}; chunks of another incarnation do not count
   */
  Difference from(Map<String, byte[]> kept, long dataset, long incarnation) {
    Roaring64NavigableMap changed = new Roaring64NavigableMap();
    Map<String, byte[]> chunks = new HashMap<>();
    long growth = 0;
    for (int begin = 0; begin < indices.length; ) {
      long number = indices[begin] / CHUNK;
      int end = begin;
      while (end < indices.length && indices[end] / CHUNK == number) {
        end++;
      }
      String key = key(dataset, indices[begin]);
      byte[] former = kept.get(key);
      long[] known = former == null ? new long[0] : decode(former, incarnation);
      long[] next =
          Arrays.copyOf(known, Math.max(known.length, (int) (indices[end - 1] % CHUNK) + 1));
      for (int i = begin; i < end; i++) {
        int at = (int) (indices[i] % CHUNK);
        if (next[at] != 0 && next[at] != hashes[i]) {
          changed.addLong(indices[i]);
        }
        next[at] = hashes[i];
      }
      if (!Arrays.equals(known, next)) {
        byte[] bytes = encode(next, incarnation);
        chunks.put(key, bytes);
        growth += bytes.length - (former == null ? 0 : former.length);
      }
      begin = end;
    }
    changed.runOptimize();
    return new Difference(changed, chunks, Math.max(0, growth));
  }

  private static byte[] encode(long[] hashes, long incarnation) {
    ByteBuffer out = ByteBuffer.allocate(HEADER_BYTES + hashes.length * Long.BYTES);
    out.putShort((short) LAYOUT).putLong(incarnation);
    for (long hash : hashes) {
      out.putLong(hash);
    }
    return out.array();
  }

  private static long[] decode(byte[] bytes, long incarnation) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    int layout = in.getShort();
    if (layout != LAYOUT) {
      throw Layout.newer("manifest", layout, LAYOUT);
    }
    if (in.getLong() != incarnation) {
      return new long[0];
    }
    long[] hashes = new long[in.remaining() / Long.BYTES];
    in.asLongBuffer().get(hashes);
    return hashes;
  }
}
