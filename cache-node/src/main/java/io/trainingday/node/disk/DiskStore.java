package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records on one node's disk, within a budget, there again after a restart.
 *
 * <p>All methods may be called from any thread. A record is immutable under its key; writing a key
 * again replaces its record. What the disk does wrong is never thrown at a caller: a record that
 * cannot be read is a miss, one that cannot be kept is refused, and both are counted.
 *
 * <h2>Why RocksDB holds the index, and not the records</h2>
 *
 * RocksDB can keep large values in blob files. On 2 cores and one disk, 150,528 B records, five
 * rounds in turns (medians): raw sequential write 493 MB/s, RocksDB with blob files 286 (its log
 * off; 16 MiB buffers, three flushes at once and early write-back, the best of twelve settings),
 * files of our own and RocksDB for the keys 440. Reads from the OS cache into a slot: memcpy 10.0
 * GB/s, blob files 2.7, files of our own 3.7, because a blob is copied twice more on its way. With
 * its log on, RocksDB writes each record twice; with it off, a kill takes all that it gathers in
 * memory, 96 MiB then, where here it takes nothing. And blob files are freed in the order of their
 * age, by a merge that fails as a whole at one flipped bit, while a budget needs the emptiest file
 * and no such failure. {@code bench disk} gives this store 0.9 of raw-write and 0.42 to 0.45 of
 * memcpy.
 *
 * <h2>What is on the disk</h2>
 *
 * <pre>
 * lock                     held by the process that has the directory open
 * training-day-disk        what the directory is, see {@link Stamp}
 * records/NNNNNNNNNN.records   segments: entries one behind the other, see {@link EntryHeader}
 * index/                   RocksDB: key to segment, offset and length
 * restoring-index          only while the index is made anew
 * </pre>
 *
 * <h2>What a kill, a power failure and damage leave</h2>
 *
 * A write is first in its segment and then in the index, both with the operating system before it
 * returns: a killed process loses no record that was acknowledged, and what it had half written is
 * in no index. Once a second both go to the disk itself; losing power takes what came since, and an
 * entry that the index names and that is not there is found by its header or its checksum. An index
 * that cannot be read is made anew from the entries' headers. A removal may be forgotten in these
 * cases; under an immutable key that gives no wrong record.
 */
public final class DiskStore implements AutoCloseable {
  /** What became of a write. */
  public enum WriteResult {
    /** It can be read now, and after a restart. */
    STORED,
    /** The budget is used up; there may be room later, when something was removed. */
    BUDGET_FULL,
    /** The file system has no space or does not work; it is tried again with each write. */
    DISK_FULL,
    /** No record may take more than a sixteenth of the budget. */
    TOO_LARGE,
    /** The store was closed. */
    CLOSED
  }

  /** Is shown records without their bytes. */
  @FunctionalInterface
  public interface KeyVisitor {
    /** Returns whether to go on. Called with no lock held; may take its time, write and remove. */
    boolean visit(SampleKey key, int recordBytes);
  }

  private static final Logger LOG = LoggerFactory.getLogger(DiskStore.class);
  private static final int CHUNK = 1_000;
  private static final byte[] START = {};
  private static final byte[] NO_END = {};

  private final DiskOptions options;
  private final Sizes sizes;
  private final Usage usage = new Usage();
  private final DirectoryLock lock;
  private final Records records;
  private final Keeper keeper;
  private final ReentrantReadWriteLock inside = new ReentrantReadWriteLock();
  private boolean closed;

  private DiskStore(DiskOptions options, DirectoryLock lock) throws IOException {
    this.options = options;
    this.sizes = new Sizes(options.budget().bytes());
    this.lock = lock;
    Staging staging = new Staging();
    records =
        new Records(
            options.directory(), sizes, new IndexKeys(options.partitions()), staging, usage);
    records.openIndex();
    keeper = new Keeper(records, sizes, staging, usage, options, inside);
    keeper.start();
  }

  /**
   * Opens the store in its directory, with what is there. Takes about a second for a million
   * records.
   *
   * @throws DiskRefusedException when the directory belongs to something else, is used by another
   *     node or cannot be written to
   */
  public static DiskStore open(DiskOptions options) {
    NativeLibrary.load();
    try {
      Files.createDirectories(options.directory());
      DirectoryLock lock = DirectoryLock.claim(options.directory());
      try {
        Stamp.check(options);
        return new DiskStore(options, lock);
      } catch (IOException | RuntimeException failure) {
        try (lock) {
          throw failure;
        }
      }
    } catch (IOException failure) {
      throw new DiskRefusedException(
          "disk directory=%s cannot be used: %s; give a directory that this process may write to"
              .formatted(options.directory(), failure),
          failure);
    }
  }

  /**
   * Copies the record under {@code key} into {@code sink}, as {@link RecordStore#read} does: never
   * throws, and whatever is no whole record of this very key is {@link RecordStore#MISS}. The
   * record's own checksum is not looked at: the reader does that, and tells {@link #removeDamaged}.
   *
   * @return the record's length in bytes, from 0, or {@link RecordStore#MISS}
   */
  public int read(SampleKey key, RecordSink sink) {
    inside.readLock().lock();
    try {
      return records.read(key, sink);
    } finally {
      inside.readLock().unlock();
    }
  }

  /** Whether there is a record under {@code key}; its bytes are not looked at. */
  public boolean contains(SampleKey key) {
    inside.readLock().lock();
    try {
      return records.contains(key);
    } finally {
      inside.readLock().unlock();
    }
  }

  /** Keeps {@code record} under {@code key}; returns when it can be read. */
  public WriteResult write(SampleKey key, byte[] record) {
    WriteResult result;
    inside.readLock().lock();
    try {
      result = closed ? WriteResult.CLOSED : records.write(key, record);
    } finally {
      inside.readLock().unlock();
    }
    if (result == WriteResult.BUDGET_FULL) {
      keeper.wake();
    }
    return result;
  }

  /**
   * Removes the record under {@code key}. Its space is given back in the background.
   *
   * @return whether there was one, and it is removed
   */
  public boolean remove(SampleKey key) {
    inside.readLock().lock();
    try {
      return records.remove(key);
    } finally {
      inside.readLock().unlock();
    }
  }

  /** As {@link #remove}, of a record whose checksum was found wrong, which is counted. */
  public boolean removeDamaged(SampleKey key) {
    boolean removed = remove(key);
    if (removed) {
      usage.damaged.increment();
    }
    return removed;
  }

  /**
   * Shows all records without reading them, about a million a second. A record that is there all
   * the time is shown exactly once, one that comes or goes meanwhile at most once. Ends early when
   * the store is closed.
   *
   * @return whether the visitor wanted to see all
   */
  public boolean forEachKey(KeyVisitor visitor) {
    return forEachKey(START, NO_END, visitor);
  }

  /** As {@link #forEachKey(KeyVisitor)}, of one partition. */
  public boolean forEachKey(int partition, KeyVisitor visitor) {
    byte[] from = START;
    while (true) {
      List<Index.Named> next = list(from, NO_END, 1);
      if (next.isEmpty()) {
        return true;
      }
      byte[] key = next.get(0).key();
      byte[] start = IndexKeys.startOfPartition(key, partition);
      if (!forEachKey(start, IndexKeys.after(start), visitor)) {
        return false;
      }
      from = IndexKeys.afterGroup(key);
      if (from.length == 0) {
        return true;
      }
    }
  }

  private boolean forEachKey(byte[] start, byte[] to, KeyVisitor visitor) {
    byte[] from = start;
    while (true) {
      List<Index.Named> chunk = list(from, to, CHUNK);
      if (chunk.isEmpty()) {
        return true;
      }
      for (Index.Named named : chunk) {
        if (!visitor.visit(IndexKeys.decode(named.key()), named.location().recordLength())) {
          return false;
        }
      }
      from = IndexKeys.behind(chunk.get(chunk.size() - 1).key());
    }
  }

  private List<Index.Named> list(byte[] from, byte[] to, int most) {
    inside.readLock().lock();
    try {
      return records.list(from, to, most);
    } finally {
      inside.readLock().unlock();
    }
  }

  /**
   * Bytes of all files: never more than the budget and 5 %, and less than that by what is kept free
   * to move records. The index's files were measured within the last second.
   */
  public long usedBytes() {
    return records.usedBytes();
  }

  /** What it holds and has done. */
  public DiskStats stats() {
    return usage.stats(usedBytes(), sizes.budget());
  }

  /**
   * Waits until everything written so far is on the disk itself.
   *
   * @throws IOException when it is not
   */
  public void sync() throws IOException {
    inside.readLock().lock();
    try {
      if (!closed) {
        records.sync();
      }
    } finally {
      inside.readLock().unlock();
    }
  }

  /**
   * Closes the store: waits for those who are inside, its evictor included, and from then on every
   * read is a miss. Safe to call again.
   */
  @Override
  public void close() {
    keeper.close();
    inside.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      try (lock) {
        records.close();
      } catch (IOException failure) {
        LOG.warn("{} was not closed in order: {}", options.directory(), failure.toString());
      }
    } finally {
      inside.writeLock().unlock();
    }
  }
}
