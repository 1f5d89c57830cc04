package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * All segments. Entries are added to one of them, the newest; a new one is begun when it is full
 * and at every opening, so what a kill cut off is never added to. Appending and deleting are for
 * one thread at a time, everything else for any.
 */
final class Segments implements AutoCloseable {
  private static final Pattern NAME = Pattern.compile("([0-9]{10})\\.records");

  private final Path directory;
  private final Sizes sizes;
  private final Staging staging;
  private final Maker maker;
  private final ConcurrentHashMap<Integer, Segment> byNumber = new ConcurrentHashMap<>();
  private final AtomicLong bytes = new AtomicLong();
  private int lastNumber;
  private volatile @Nullable Segment active;

  private Segments(Path directory, Sizes sizes, Staging staging, Maker maker) {
    this.directory = directory;
    this.sizes = sizes;
    this.staging = staging;
    this.maker = maker;
  }

  /** Makes what stands for a file. */
  interface Maker {
    Segment make(int number, Path file, long size);
  }

  static Segments open(Path directory, Sizes sizes, Staging staging) throws IOException {
    return open(directory, sizes, staging, Segment::new);
  }

  static Segments open(Path directory, Sizes sizes, Staging staging, Maker maker)
      throws IOException {
    Files.createDirectories(directory);
    Segments segments = new Segments(directory, sizes, staging, maker);
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Matcher name = NAME.matcher(file.getFileName().toString());
        if (name.matches()) {
          segments.add(maker.make(Integer.parseInt(name.group(1)), file, Files.size(file)));
        }
      }
    }
    return segments;
  }

  private void add(Segment segment) {
    byNumber.put(segment.number(), segment);
    bytes.addAndGet(segment.size());
    lastNumber = Math.max(lastNumber, segment.number());
  }

  /** Bytes of all files. */
  long bytes() {
    return bytes.get();
  }

  @Nullable Segment get(int number) {
    return byNumber.get(number);
  }

  /** Those that are there now, the oldest first. */
  List<Segment> all() {
    return byNumber.values().stream().sorted(Comparator.comparingInt(Segment::number)).toList();
  }

  /** Those that nothing is added to any more. */
  Collection<Segment> full() {
    Segment current = active;
    return byNumber.values().stream().filter(segment -> segment != current).toList();
  }

  /**
   * Adds a record.
   *
   * @throws IOException when it could not be written; then nothing is left of it
   */
  Location append(SampleKey key, byte[] record) throws IOException {
    return append(record.length, (into, done) -> put(into, done, key, record));
  }

  /**
   * Adds a copy of an entry of another segment, as {@link #append(SampleKey, byte[])}.
   *
   * @throws Segment.UnreadableException when it cannot be read there
   */
  Location append(Segment source, Location location) throws IOException {
    return append(
        location.recordLength(),
        (into, done) -> {
          if (!source.read(into, location.offset() + done)) {
            throw new Segment.UnreadableException(
                "segment %d ends too early".formatted(source.number()), null);
          }
        });
  }

  /** Where the bytes of an entry come from. */
  private interface Bytes {
    /** Puts the entry's next bytes, as many as there is room for, after {@code done} of them. */
    void put(ByteBuffer into, long done) throws IOException;
  }

  private Location append(int recordLength, Bytes source) throws IOException {
    Segment segment = writable();
    long start = segment.size();
    long length = EntryHeader.entryBytes(recordLength);
    Staging.Piece piece = staging.take();
    try {
      for (long done = 0; done < length; ) {
        int next = (int) Math.min(piece.bytes.capacity(), length - done);
        source.put(piece.bytes.clear().limit(next), done);
        segment.write(piece.bytes.flip(), start + done);
        done += next;
      }
      segment.grow(start + length);
      bytes.addAndGet(length);
      return new Location(segment.number(), start, recordLength);
    } catch (IOException failure) {
      try {
        segment.cutOff();
      } catch (IOException again) {
        failure.addSuppressed(again);
        active = null; // Its file may be longer than we count; the next one is not.
      }
      throw failure;
    } finally {
      staging.free(piece);
    }
  }

  private static void put(ByteBuffer into, long done, SampleKey key, byte[] record) {
    int at = (int) Math.min(Math.max(0, done - EntryHeader.LENGTH), record.length);
    if (done == 0) {
      EntryHeader.put(into, key, record.length);
    }
    into.put(record, at, Math.min(into.remaining(), record.length - at));
    while (into.hasRemaining()) {
      into.put((byte) 0);
    }
  }

  /** The one that is added to; null when the next entry begins one. */
  @Nullable Segment newest() {
    return active;
  }

  /** Adds no more to the newest. */
  void finish() {
    active = null;
  }

  private Segment writable() {
    Segment current = active;
    if (current == null || current.size() >= sizes.segment()) {
      int number = lastNumber + 1;
      current = maker.make(number, directory.resolve("%010d.records".formatted(number)), 0);
      add(current);
      active = current;
    }
    return current;
  }

  /** Deletes a segment that the index names no entry of. */
  void delete(Segment segment) throws IOException {
    segment.delete();
    if (byNumber.remove(segment.number()) != null) {
      bytes.addAndGet(-segment.size());
    }
  }

  /** Waits until everything appended so far is on the disk itself. */
  void sync() throws IOException {
    for (Segment segment : byNumber.values()) {
      try {
        segment.sync();
      } catch (ClosedChannelException deleted) {
        if (byNumber.containsKey(segment.number())) {
          throw deleted;
        }
      }
    }
  }

  @Override
  public void close() throws IOException {
    for (Segment segment : byNumber.values()) {
      segment.close();
    }
  }
}
