package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import java.util.Collection;
import java.util.List;
import java.util.UUID;

/**
 * The records one cache node holds of the data sets with one number of backups.
 *
 * <p>All methods may be called from any thread. A record is immutable under its key, so a read
 * gives the whole record or nothing.
 */
public interface RecordStore {
  /** What {@link #read} returns when it did not deliver a record. */
  int MISS = -1;

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
   * Stores {@code record} under {@code key} on the node(s) that own it and returns when it can be
   * read there. The array must not change before the return. Admission comes before this call.
   *
   * @throws WriteException when the record was not stored, or may not have been
   */
  void write(SampleKey key, byte[] record);

  /** Whether {@link #read} would find {@code key} now. False once drained. */
  boolean contains(SampleKey key);

  /**
   * Whether this node holds all of the partition of {@code key} now. Where it does not, that {@link
   * #read} found nothing says nothing about the grid. Takes no lock.
   */
  boolean isHeldHere(SampleKey key);

  /**
   * Removes the record under {@code key} wherever it is held.
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
