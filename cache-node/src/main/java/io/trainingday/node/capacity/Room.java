package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Decides which records are kept. Thread-safe.
 *
 * <p>Every admitted record is a reservation until {@link #release}: admit, write, {@link #stored},
 * release in a {@code finally}.
 */
public interface Room {
  /**
   * Reserves room for one record on this node and on all {@code targets}, or counts and returns why
   * not. Null means admitted: the caller must call {@link #release} with the same arguments after
   * the write, whatever its outcome. Does not wait.
   */
  @Nullable Refusal tryAdmit(SampleKey key, int recordBytes, List<UUID> targets);

  /**
   * As {@link #tryAdmit}, but waits up to {@code patienceNanos} for what is {@link Refusal#passes
   * about to pass}.
   */
  @Nullable Refusal admit(SampleKey key, int recordBytes, List<UUID> targets, long patienceNanos)
      throws InterruptedException;

  /** Notes that an admitted record has been written. */
  void stored(SampleKey key, int recordBytes);

  /**
   * Counts a record that was refused for another reason than want of room here, such as the disk.
   */
  default void refused(SampleKey key, int recordBytes, Refusal refusal) {}

  /** Ends the reservation of one admitted record. */
  void release(SampleKey key, int recordBytes, List<UUID> targets);
}
