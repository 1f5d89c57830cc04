package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Segments and their index, kept in step.
 *
 * <p>Reading takes no lock. Whatever changes is done under one, so that an entry is in the index
 * before anybody may take it for dead, and the live bytes of each segment are always those of the
 * entries that the index names. {@link DiskStore} sees to it that nobody is inside while the index
 * is opened or closed.
 */
final class Records {
  private static final Logger LOG = LoggerFactory.getLogger(Records.class);
  private static final int CHUNK = 1_000;
  private static final int LOOKS = 3;
  private static final byte[] START = {};

  private final Sizes sizes;
  private final IndexKeys keys;
  private final Usage usage;
  private final Segments segments;
  private final EntryCopy copy;
  private final Path indexDirectory;
  private final Path restoring;
  private final FileStore fileStore;
  private final Object writing = new Object();
  private final AtomicLong writesSinceMeasured = new AtomicLong();

  private @Nullable Index index;

  /** Whether the live bytes of the segments are known. */
  private boolean counted;

  private volatile Index.FileBytes indexBytes = new Index.FileBytes(0, 0);
  private volatile boolean indexFailed;
  private volatile boolean indexDamaged;
  private volatile boolean restoringIndex;
  private volatile boolean full;

  Records(Path directory, Sizes sizes, IndexKeys keys, Staging staging, Usage usage)
      throws IOException {
    this(directory, sizes, keys, staging, usage, Segment::new);
  }

  Records(
      Path directory,
      Sizes sizes,
      IndexKeys keys,
      Staging staging,
      Usage usage,
      Segments.Maker maker)
      throws IOException {
    this.sizes = sizes;
    this.keys = keys;
    this.usage = usage;
    this.copy = new EntryCopy(staging);
    this.segments = Segments.open(directory.resolve("records"), sizes, staging, maker);
    this.indexDirectory = directory.resolve("index");
    this.restoring = directory.resolve("restoring-index");
    this.fileStore = Files.getFileStore(directory);
  }

  Segments segments() {
    return segments;
  }

  // The index's life: only while nobody else is inside.

  /**
   * Opens the index and counts what it names. One that is damaged, or was being made anew when the
   * process ended, is not opened: {@link #isIndexDamaged}.
   */
  void openIndex() {
    indexFailed = false;
    boolean isLost = segments.bytes() > 0 && !Files.exists(indexDirectory.resolve("CURRENT"));
    if (isLost || Files.exists(restoring)) {
      indexDamaged = true;
      return;
    }
    try {
      open();
    } catch (IOException failure) {
      if (hasSpace(0)) {
        damaged(failure); // Not for want of space: files that are not what they should be.
      } else {
        failed(failure);
      }
    }
  }

  /** Begins an empty index, to be filled with {@link #restore} and then {@link #restored}. */
  void renewIndex() throws IOException {
    closeIndex();
    Files.write(restoring, new byte[0]);
    Directories.delete(indexDirectory);
    counted = false;
    restoringIndex = true;
    open();
    indexDamaged = false;
    indexFailed = false;
  }

  /** All entries have been restored: from now on what the index does not name is dead. */
  void restored() throws IOException {
    Index open = index;
    if (open != null) {
      open.sync();
      Files.delete(restoring);
      restoringIndex = false;
    }
  }

  /** Opens the index again, after an error that it does not get over by itself. */
  void reopenIndex() throws IOException {
    closeIndex();
    open();
    indexFailed = false;
  }

  private void open() throws IOException {
    Index opened = Index.open(indexDirectory, sizes);
    index = opened;
    if (!counted) {
      usage.records.reset();
      usage.recordBytes.reset();
      segments.all().forEach(segment -> segment.addLive(-segment.liveBytes()));
      count(opened);
      counted = true;
    }
    measure();
  }

  void closeIndex() {
    if (index != null) {
      index.close();
      index = null;
    }
  }

  /** Closes everything; nobody may call anything but what finds no index any more. */
  void close() throws IOException {
    try (segments) {
      sync();
    } finally {
      closeIndex();
    }
  }

  private void count(Index opened) throws IOException {
    byte[] from = START;
    for (List<Index.Named> chunk = opened.list(from, START, CHUNK);
        !chunk.isEmpty();
        chunk = opened.list(from, START, CHUNK)) {
      for (Index.Named named : chunk) {
        Location location = named.location();
        Segment segment = segments.get(location.segment());
        if (segment != null && location.offset() + location.entryBytes() <= segment.size()) {
          account(location, 1);
        } else {
          usage.damaged.increment();
          opened.delete(named.key());
        }
      }
      from = IndexKeys.behind(chunk.get(chunk.size() - 1).key());
    }
  }

  /** Whether the index stopped taking writes, or could not be opened. */
  boolean isIndexFailed() {
    return indexFailed;
  }

  /** Whether the index must be made anew. */
  boolean isIndexDamaged() {
    return indexDamaged;
  }

  /** Whether the index was begun anew and does not name all entries yet. */
  boolean isIndexRestoring() {
    return restoringIndex;
  }

  private void damaged(IOException failure) {
    indexDamaged = true;
    LOG.debug("the index is damaged", failure);
  }

  private void failed(IOException failure) {
    if (failure instanceof Index.DamagedException) {
      damaged(failure);
    } else {
      indexFailed = true;
      LOG.debug("the index failed", failure);
    }
  }

  // What any thread may call.

  int read(SampleKey key, RecordSink sink) {
    Index open = index;
    if (open == null) {
      return RecordStore.MISS;
    }
    byte[] encoded = keys.encode(key);
    Location last = null;
    try {
      for (int look = 0; look < LOOKS; look++) {
        Location location = open.get(encoded);
        if (location == null) {
          return RecordStore.MISS;
        }
        Segment segment = segments.get(location.segment());
        EntryCopy.Result result =
            segment == null ? EntryCopy.Result.GONE : copy.copy(key, segment, location, sink);
        if (result == EntryCopy.Result.COPIED) {
          return location.recordLength();
        }
        if (result == EntryCopy.Result.VOID) {
          return RecordStore.MISS;
        }
        if (result == EntryCopy.Result.DAMAGED || location.equals(last)) {
          usage.damaged.increment();
          removeAt(open, encoded, location);
          return RecordStore.MISS;
        }
        last = location; // Its segment went: the index says by now where the record went to.
      }
    } catch (IOException failure) {
      failed(failure);
    }
    return RecordStore.MISS;
  }

  boolean contains(SampleKey key) {
    Index open = index;
    try {
      return open != null && open.get(keys.encode(key)) != null;
    } catch (IOException failure) {
      failed(failure);
      return false;
    }
  }

  DiskStore.WriteResult write(SampleKey key, byte[] record) {
    long bytes = EntryHeader.entryBytes(record.length);
    if (bytes > sizes.largestEntry()) {
      usage.refusedTooLarge.increment();
      return DiskStore.WriteResult.TOO_LARGE;
    }
    byte[] encoded = keys.encode(key);
    synchronized (writing) {
      if (usedBytes() + bytes > sizes.limit(indexBytes.tables())) {
        usage.refusedBudget.increment();
        return DiskStore.WriteResult.BUDGET_FULL;
      }
      Index open = index;
      if (indexDamaged) {
        usage.refusedDiskFull.increment();
        return DiskStore.WriteResult.DISK_FULL;
      }
      if (open == null || indexFailed || !hasSpace(bytes)) {
        return diskFull();
      }
      try {
        place(open, encoded, segments.append(key, record));
      } catch (IOException failure) {
        LOG.debug("{} was not stored", key, failure);
        return diskFull();
      }
      if (full) {
        full = false;
        LOG.info("there is space again in {}: records are kept again", indexDirectory.getParent());
      }
      return DiskStore.WriteResult.STORED;
    }
  }

  private DiskStore.WriteResult diskFull() {
    usage.refusedDiskFull.increment();
    if (!full) {
      full = true;
      LOG.warn(
          "the file system of {} is full or fails: records are read, and none are kept until there"
              + " is space",
          indexDirectory.getParent());
    }
    return DiskStore.WriteResult.DISK_FULL;
  }

  /** Lets the index name a new entry instead of the one it names. */
  private void place(Index open, byte[] key, Location location) throws IOException {
    try {
      Location before = open.get(key);
      open.put(key, location);
      writesSinceMeasured.incrementAndGet();
      account(location, 1);
      if (before != null) {
        account(before, -1);
      }
    } catch (IOException failure) {
      failed(failure);
      throw failure;
    }
  }

  private void account(Location location, int sign) {
    usage.records.add(sign);
    usage.recordBytes.add((long) sign * location.recordLength());
    Segment segment = segments.get(location.segment());
    if (segment != null) {
      segment.addLive(sign * location.entryBytes());
    }
  }

  boolean remove(SampleKey key) {
    Index open = index;
    if (open == null) {
      return false;
    }
    byte[] encoded = keys.encode(key);
    synchronized (writing) {
      try {
        Location location = open.get(encoded);
        return location != null && removeAt(open, encoded, location);
      } catch (IOException failure) {
        failed(failure);
        return false;
      }
    }
  }

  private boolean removeAt(Index open, byte[] key, Location location) {
    synchronized (writing) {
      try {
        if (!location.equals(open.get(key))) {
          return false;
        }
        open.delete(key);
        writesSinceMeasured.incrementAndGet();
        account(location, -1);
        return true;
      } catch (IOException failure) {
        failed(failure);
        return false;
      }
    }
  }

  /** The first keys from {@code from} to before {@code to}, an empty {@code to} for all. */
  List<Index.Named> list(byte[] from, byte[] to, int most) {
    Index open = index;
    if (open == null) {
      return List.of();
    }
    try {
      return open.list(from, to, most);
    } catch (IOException failure) {
      failed(failure);
      return List.of();
    }
  }

  // What the store's own thread does.

  /**
   * Copies an entry to the newest segment, if the index still names it there. One that cannot be
   * read is taken out of the index, as whoever asked for it would have done.
   */
  boolean move(SampleKey key, Segment from, Location location) throws IOException {
    byte[] encoded = keys.encode(key);
    synchronized (writing) {
      Index open = index;
      if (open == null || !location.equals(open.get(encoded))) {
        return false;
      }
      try {
        place(open, encoded, segments.append(from, location));
        return true;
      } catch (Segment.UnreadableException lost) {
        LOG.debug("{} cannot be read", key, lost);
        usage.damaged.increment();
        removeAt(open, encoded, location);
        return false;
      }
    }
  }

  /** Lets the index name an entry, unless it names another one for the key. */
  void restore(SampleKey key, Location location) throws IOException {
    byte[] encoded = keys.encode(key);
    synchronized (writing) {
      Index open = index;
      if (open != null && open.get(encoded) == null) {
        place(open, encoded, location);
      }
    }
  }

  /** Deletes a segment; records that are still in it are misses from now on. */
  void delete(Segment segment) throws IOException {
    synchronized (writing) {
      segments.delete(segment);
    }
  }

  /** Takes the newest segment for full when such a part of it is dead. */
  void finishDying(int deadShare) {
    synchronized (writing) {
      Segment newest = segments.newest();
      if (newest != null && newest.deadBytes() * deadShare > newest.size()) {
        segments.finish();
      }
    }
  }

  /** Deletes the segments that the index names nothing of. */
  void deleteDead() throws IOException {
    synchronized (writing) {
      for (Segment segment : segments.full()) {
        if (segment.liveBytes() == 0) {
          segments.delete(segment);
        }
      }
    }
  }

  void sync() throws IOException {
    segments.sync();
    Index open = index;
    if (open != null) {
      open.sync();
    }
  }

  /** Looks how large the index's files are. */
  void measure() throws IOException {
    Index open = index;
    if (open != null) {
      writesSinceMeasured.set(0);
      indexBytes = open.fileBytes();
    }
  }

  /** Bytes of all files, those of the index as last measured and what was written since. */
  long usedBytes() {
    return segments.bytes() + indexBytes.all() + writesSinceMeasured.get() * Index.BYTES_PER_WRITE;
  }

  /** Bytes of the index that merging may need once more. */
  long indexTableBytes() {
    return indexBytes.tables();
  }

  /** Whether the file system has room for so many bytes, and for what else may be written then. */
  boolean hasSpace(long bytes) {
    try {
      return fileStore.getUsableSpace() >= bytes + sizes.headroom();
    } catch (IOException failure) {
      LOG.debug("the free space is not known", failure);
      return false;
    }
  }
}
