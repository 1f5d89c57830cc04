package io.trainingday.client;

import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Some samples in memory that is used again: valid until it is closed, and not a moment longer.
 * Nothing of it is copied for the reader. What a user changes in it never reaches the cache.
 *
 * <p>Accessors throw {@link IllegalStateException} after {@link #close}; views handed out before
 * then show another batch's bytes from there on, or there is nothing to show: the shared memory may
 * have been given back, and reading it ends in an {@link InternalError}, in native code in the end
 * of the process. For any number of threads; closed once by any.
 */
public final class SampleBatch implements AutoCloseable {
  private static final byte POISON = (byte) 0xDB;
  private static final RecordCodec CODEC = RecordCodec.create();

  private final ReadShape shape;
  private final long[] indices;
  private final Status[] statuses;
  private final long generation;
  private final List<Field> fields;
  private final List<@Nullable StoredRecord> records;
  private final List<BatchMemory> memory;
  private final boolean poison;
  private final AtomicBoolean closed = new AtomicBoolean();

  SampleBatch(
      ReadShape shape,
      long[] indices,
      Status[] statuses,
      long generation,
      List<Field> fields,
      List<@Nullable StoredRecord> records,
      List<BatchMemory> memory,
      boolean poison) {
    this.shape = shape;
    this.indices = indices;
    this.statuses = statuses;
    this.generation = generation;
    this.fields = List.copyOf(fields);
    this.records = records;
    this.memory = memory;
    this.poison = poison;
    this.fields.forEach(field -> field.batch = this);
  }

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
    return indices.length;
  }

  public ReadShape shape() {
    return shape;
  }

  /** The index of the {@code i}-th sample, 0 ≤ i &lt; size. */
  public long index(int i) {
    return indices[i];
  }

  /** Where the {@code i}-th sample came from, 0 ≤ i &lt; size. */
  public Status status(int i) {
    return statuses[i];
  }

  /** How many samples came from the cache. */
  public int hits() {
    return count(Status.HIT);
  }

  /** How many samples came from the origin. */
  public int originLoads() {
    return count(Status.LOADED);
  }

  /** How many samples are missing. */
  public int missing() {
    return count(Status.MISSING);
  }

  /** The generation of the data set the batch was read at; -1 without a node. */
  public long generation() {
    return generation;
  }

  /**
   * The fields of a collated or ragged batch in record order; empty when every sample is missing.
   *
   * @throws IllegalStateException if the batch is closed or of records
   */
  public List<Field> fields() {
    checkOpen();
    if (shape == ReadShape.RECORDS) {
      throw new IllegalStateException("a batch of records has no common fields, use record(i)");
    }
    return fields;
  }

  /**
   * One field of a collated or ragged batch.
   *
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   * @throws IllegalStateException if the batch is closed or of records
   */
  public Field field(String name) {
    for (Field field : fields()) {
      if (field.name.equals(name)) {
        return field;
      }
    }
    throw new IllegalArgumentException(
        "field '%s' is not in the batch, it has: %s"
            .formatted(name, fields.stream().map(Field::name).collect(Collectors.joining(", "))));
  }

  /**
   * One sample of a batch of records; its buffers are views of the batch's memory.
   *
   * @throws IllegalStateException if the batch is closed or not of records, or the sample is
   *     missing
   */
  public SampleRecord record(int i) {
    checkOpen();
    if (shape != ReadShape.RECORDS) {
      throw new IllegalStateException(
          "a %s batch has no records, use field(name)".formatted(shape));
    }
    StoredRecord record = records.get(i);
    if (record == null) {
      throw new IllegalStateException("sample index=%d is missing".formatted(indices[i]));
    }
    return record.get();
  }

  /** Gives the memory back. Closing again does nothing. */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    for (BatchMemory one : memory) {
      if (poison) {
        overwrite(one.buffer());
      }
      one.release();
    }
  }

  private static void overwrite(ByteBuffer buffer) {
    byte[] pattern = new byte[8 << 10];
    Arrays.fill(pattern, POISON);
    for (int left = buffer.capacity(); left > 0; ) {
      int length = Math.min(pattern.length, left);
      buffer.put(buffer.capacity() - left, pattern, 0, length);
      left -= length;
    }
  }

  private int count(Status wanted) {
    int count = 0;
    for (Status status : statuses) {
      count += status == wanted ? 1 : 0;
    }
    return count;
  }

  private void checkOpen() {
    if (closed.get()) {
      throw new IllegalStateException("the batch is closed, its memory may hold another batch");
    }
  }

  @Override
  public String toString() {
    return "%s batch of %d samples: %d hits, %d loaded, %d missing"
        .formatted(shape, size(), hits(), originLoads(), missing());
  }

  /** A record that is decoded when somebody looks. */
  static final class StoredRecord {
    private final @Nullable ByteBuffer bytes;
    private volatile @Nullable SampleRecord record;

    StoredRecord(ByteBuffer bytes) {
      this.bytes = bytes;
    }

    StoredRecord(SampleRecord record) {
      this.bytes = null;
      this.record = record;
    }

    SampleRecord get() {
      SampleRecord known = record;
      ByteBuffer encoded = bytes;
      if (known == null && encoded != null) {
        known = CODEC.decode(encoded);
        record = known;
      }
      if (known == null) {
        throw new IllegalStateException("neither bytes nor a record");
      }
      return known;
    }
  }

  /** One field of all samples of a collated or ragged batch; valid as long as the batch. */
  public static final class Field {
    private final String name;
    private final DType dtype;
    private final int rank;
    private final ByteBuffer data;
    private final int count;

    /** Of each sample; for a collated field, the one shape of all. */
    private final long[] shapes;

    /** Null for a collated field. */
    private final long @Nullable [] valueOffsets;

    private @Nullable SampleBatch batch;

    private Field(
        String name,
        DType dtype,
        int rank,
        ByteBuffer data,
        int count,
        long[] shapes,
        long @Nullable [] valueOffsets) {
      this.name = name;
      this.dtype = dtype;
      this.rank = rank;
      this.data = data;
      this.count = count;
      this.shapes = shapes;
      this.valueOffsets = valueOffsets;
    }

    static Field collated(RecordLayout.Field field, ByteBuffer data, int count) {
      return new Field(field.name(), field.dtype(), field.rank(), data, count, field.shape(), null);
    }

    static Field ragged(
        String name, DType dtype, int rank, ByteBuffer data, long[] offsets, long[] shapes) {
      return new Field(name, dtype, rank, data, offsets.length - 1, shapes, offsets);
    }

    public String name() {
      return name;
    }

    public DType dtype() {
      return dtype;
    }

    /** How many dimensions one sample has, 0–16. */
    public int rank() {
      return rank;
    }

    /**
     * The whole array's shape, {@code (B, …)}.
     *
     * @throws IllegalStateException if the batch is ragged
     */
    public long[] shape() {
      if (valueOffsets != null) {
        throw new IllegalStateException(
            "field '%s' of a ragged batch has a shape per sample, use shape(i)".formatted(name));
      }
      long[] whole = new long[rank + 1];
      whole[0] = count;
      System.arraycopy(shapes, 0, whole, 1, rank);
      return whole;
    }

    /** The {@code i}-th sample's shape; zeros for a missing sample of a ragged batch. */
    public long[] shape(int i) {
      checkPosition(i);
      return extents(i);
    }

    /**
     * The values of all samples, one after another without gaps: a new writable little-endian view
     * of direct memory that starts at a multiple of 64 and at position 0. The places of missing
     * samples of a collated batch are undefined.
     *
     * @throws IllegalStateException if the batch is closed
     */
    public ByteBuffer data() {
      checkOpen();
      return data.slice(0, data.capacity()).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * The values of the {@code i}-th sample, a part of {@link #data()}.
     *
     * @throws IllegalStateException if the batch is closed
     */
    public ByteBuffer data(int i) {
      checkOpen();
      checkPosition(i);
      return part(i);
    }

    /**
     * Where each sample's values begin in {@link #data()} and the last ends, in bytes: size + 1.
     */
    public long[] offsets() {
      long[] offsets = new long[count + 1];
      for (int i = 0; i <= count; i++) {
        offsets[i] = start(i);
      }
      return offsets;
    }

    ByteBuffer part(int i) {
      int start = (int) start(i);
      return data.slice(start, (int) start(i + 1) - start).order(ByteOrder.LITTLE_ENDIAN);
    }

    long[] extents(int i) {
      int from = valueOffsets == null ? 0 : i * rank;
      return Arrays.copyOfRange(shapes, from, from + rank);
    }

    private long start(int i) {
      return valueOffsets == null ? (long) data.capacity() / count * i : valueOffsets[i];
    }

    private void checkPosition(int i) {
      if (i < 0 || i >= count) {
        throw new IndexOutOfBoundsException("i=%d, allowed: 0–%d".formatted(i, count - 1));
      }
    }

    private void checkOpen() {
      SampleBatch owner = batch;
      if (owner != null) {
        owner.checkOpen();
      }
    }

    @Override
    public String toString() {
      return "%s %s of %d samples".formatted(name, dtype.wireName(), count);
    }
  }
}
