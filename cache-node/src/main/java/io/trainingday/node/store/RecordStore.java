package io.trainingday.node.store;

import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import java.util.Collection;
import java.util.List;
import java.util.UUID;

/**
 * The records one cache node holds of the data sets with one number of backups and one tier.
 *
 * <p>All methods may be called from any thread. A record is immutable under its key, so a read
 * gives the whole record or nothing.
 */
public interface RecordStore {
  /** What {@link #read} returns when it did not deliver a record. */
  int MISS = -1;

  /** What became of a record given to the disk. */
  enum Kept {
    KEPT,
    /** The disk tier's budget is used up. */
    NO_ROOM,
    /** The file system is full or does not work. */
    DISK_FULL,
    /** The disk tier takes no record so large. */
    TOO_LARGE,
    /** The node stops, or has no disk tier. */
    CLOSED
  }

  /** Where the records are kept. What is not in memory is never given to {@link #write}. */
  default Tier tier() {
    return Tier.MEMORY;
  }

  /** On how many nodes beside its primary each record is kept, where the grid has as many. */
  int backups();

  /**
   * The nodes on which a {@link #write} of {@code key} would store it now, its primary first: those
   * that hold its partition and those the partition is arriving at. Changes with the grid.
   */
  List<UUID> targets(SampleKey key);

  /**
   * Copies the record under {@code key} into {@code sink}. Reads only this node: a record whose
   * partition this node does not own, or does not own yet, is a miss. Never throws for a missing or
   * moving key, a record that is damaged, a sink that refuses or throws, or a store that was
   * drained: all of them are {@link #MISS}.
   *
   * <p>A miss can come after {@link RecordSink#begin} and some bytes: whatever the sink then holds
   * is void. {@code begin} is called at most once per read.
   *
   * @return the record's length in bytes, from 0, or {@link #MISS}
   */
  int read(SampleKey key, RecordSink sink);

  /**
   * As {@link #read(SampleKey, RecordSink)}.
   *
   * @param fromDisk called before this returns a record that came from this node's disk
   */
  default int read(SampleKey key, RecordSink sink, Runnable fromDisk) {
    return read(key, sink);
  }

  /**
   * Stores {@code record} under {@code key} in memory on the node(s) that own it and returns when
   * it can be read there. The array must not change before the return. Admission comes before this
   * call.
   *
   * @throws WriteException when the record was not stored, or may not have been
   */
  void write(SampleKey key, byte[] record);

  /**
   * Keeps {@code record} on this node's disk and, as far as they take it, on those of the other
   * nodes that hold its partition. Waits for the disk and for those nodes, some seconds at most:
   * not for threads of the lane. Only of tiers on disk.
   *
   * @return what became of it here
   */
  default Kept writeToDisk(SampleKey key, byte[] record) {
    throw new IllegalStateException("records of tier " + tier() + " are not kept on disk");
  }

  /** As {@link #writeToDisk}, on this node's disk alone: a copy that another node sent. */
  default Kept writeCopyToDisk(SampleKey key, byte[] record) {
    throw new IllegalStateException("records of tier " + tier() + " are not kept on disk");
  }

  /**
   * Whether the disk seems to have room: {@link Kept#KEPT}, or why a write was refused a moment
   * ago. Takes no lock. Only of tiers on disk.
   */
  default Kept roomOnDisk() {
    throw new IllegalStateException("records of tier " + tier() + " are not kept on disk");
  }

  /** Whether {@link #read} would find {@code key} now. False once drained. */
  boolean contains(SampleKey key);

  /**
   * Whether this node holds all of the partition of {@code key} now. Where it does not, that {@link
   * #read} found nothing says nothing about the grid. Takes no lock.
   */
  boolean isHeldHere(SampleKey key);

  /**
   * Removes the record under {@code key}, because it was found damaged: from the memory of all
   * nodes; or, when it is not in memory, from this node's disk, so that a sound one on disk
   * outlives a damaged one in memory.
   *
   * @return whether there was one
   * @throws WriteException when it was not removed, or may not have been
   */
  boolean remove(SampleKey key);

  /**
   * Removes the records under these keys wherever they are held; keys without one are passed over.
   *
   * @throws WriteException when some were not removed, or may not have been
   */
  default void removeAll(Collection<SampleKey> keys) {
    keys.forEach(this::remove);
  }

  /**
   * Ends reading for good: from now on every read misses, and when this returns no reader is
   * inside. Must come before any stop of the Ignite node, which frees the memory under its readers.
   * Safe to call again.
   */
  void drain();

  /** A record that could not be stored or removed; the message names the key and the reason. */
  final class WriteException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WriteException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
