package io.trainingday.client;

import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Some samples in memory that is used again: valid until it is closed, and not a moment longer.
 * Nothing of it is copied for the reader. What a user changes in it never reaches the cache.
 *
 * <p>Accessors throw {@link IllegalStateException} after {@link #close}; views handed out before
 * then show the next batch's bytes or nonsense. For any number of threads; closed once by any.
 */
@SuppressWarnings("DoNotCallSuggester")
public final class SampleBatch implements AutoCloseable {
  private SampleBatch() {}

  /** Where a sample came from. */
  public enum Status {
    /** From the cache. */
    HIT,
    /** From the origin, by this trainer. */
    LOADED,
    /** From nowhere: it is not in the cache and nobody was asked to load it. */
    MISSING
  }

  /** Number of samples, as many as indices were given. */
  public int size() {
    throw new UnsupportedOperationException();
  }

  public ReadShape shape() {
    throw new UnsupportedOperationException();
  }

  /** The index of the {@code i}-th sample, 0 ≤ i &lt; size. */
  public long index(int i) {
    throw new UnsupportedOperationException();
  }

  /** Where the {@code i}-th sample came from, 0 ≤ i &lt; size. */
  public Status status(int i) {
    throw new UnsupportedOperationException();
  }

  /** How many samples came from the cache. */
  public int hits() {
    throw new UnsupportedOperationException();
  }

  /** How many samples came from the origin. */
  public int originLoads() {
    throw new UnsupportedOperationException();
  }

  /** How many samples are missing. */
  public int missing() {
    throw new UnsupportedOperationException();
  }

  /** The generation of the data set the batch was read at; -1 without a node. */
  public long generation() {
    throw new UnsupportedOperationException();
  }

  /**
   * The fields of a collated or ragged batch in record order; empty when every sample is missing.
   *
   * @throws IllegalStateException if the batch is closed or of records
   */
  public List<Field> fields() {
    throw new UnsupportedOperationException();
  }

  /**
   * One field of a collated or ragged batch.
   *
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   * @throws IllegalStateException if the batch is closed or of records
   */
  public Field field(String name) {
    throw new UnsupportedOperationException();
  }

  /**
   * One sample of a batch of records; its buffers are views of the batch's memory.
   *
   * @throws IllegalStateException if the batch is closed or not of records, or the sample is
   *     missing
   */
  public SampleRecord record(int i) {
    throw new UnsupportedOperationException();
  }

  /** Gives the memory back. Closing again does nothing. */
  @Override
  public void close() {}

  /** One field of all samples of a collated or ragged batch. */
  public static final class Field {
    private Field() {}

    public String name() {
      throw new UnsupportedOperationException();
    }

    public DType dtype() {
      throw new UnsupportedOperationException();
    }

    /**
     * The whole array's shape, {@code (B, …)}.
     *
     * @throws IllegalStateException if the batch is ragged
     */
    public long[] shape() {
      throw new UnsupportedOperationException();
    }

    /** The {@code i}-th sample's shape; zeros for a missing sample of a ragged batch. */
    public long[] shape(int i) {
      throw new UnsupportedOperationException();
    }

    /**
     * The values of all samples, one after another without gaps: a new writable little-endian view
     * of direct memory that starts at a multiple of 64 and at position 0. The places of missing
     * samples of a collated batch are undefined.
     */
    public ByteBuffer data() {
      throw new UnsupportedOperationException();
    }

    /** The values of the {@code i}-th sample, a part of {@link #data()}. */
    public ByteBuffer data(int i) {
      throw new UnsupportedOperationException();
    }

    /**
     * Where each sample's values begin in {@link #data()}, and where the last ends: bytes, size +
     * 1.
     */
    public long[] offsets() {
      throw new UnsupportedOperationException();
    }
  }
}
