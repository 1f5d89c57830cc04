package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One training sample as named fields: tensors, bytes, text, Java objects, and small attributes.
 *
 * <p>Immutable as far as its buffers are: neither building nor decoding copies field bytes, so a
 * record shares the memory of the buffers it was made from and is valid as long as they are.
 * Thread-safe under the same condition.
 */
public final class SampleRecord {
  private final List<Field> fields;
  private final Map<String, Object> attributes;
  private final long sourceStamp;
  private final long createdMillis;

  SampleRecord(
      List<Field> fields, Map<String, Object> attributes, long sourceStamp, long createdMillis) {
    this.fields = List.copyOf(fields);
    this.attributes = Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
    this.sourceStamp = sourceStamp;
    this.createdMillis = createdMillis;
  }

  public static Builder builder() {
    return new Builder();
  }

  /** The fields in the order they were added, which is their order in the record. */
  public List<Field> fields() {
    return fields;
  }

  /**
   * The field of that name.
   *
   * @throws IllegalArgumentException when the record has none; the message lists the names it has
   */
  public Field field(String name) {
    for (Field field : fields) {
      if (field.name().equals(name)) {
        return field;
      }
    }
    throw new IllegalArgumentException(
        "field '%s' is not in the record, it has: %s"
            .formatted(name, fields.stream().map(Field::name).collect(Collectors.joining(", "))));
  }

  /**
   * The text of a {@link DType#UTF8} field.
   *
   * @throws MalformedRecordException when its bytes are not UTF-8
   */
  public String utf8(String name) {
    ByteBuffer data = typed(name, DType.UTF8).data();
    String text = Utf8.decode(data);
    if (text == null) {
      throw new MalformedRecordException(0, "field '" + name + "'", "(not UTF-8)", "UTF-8 text");
    }
    return text;
  }

  /** A copy of the content of a {@link DType#BYTES} field. */
  public byte[] bytes(String name) {
    ByteBuffer data = typed(name, DType.BYTES).data();
    byte[] copy = new byte[data.remaining()];
    data.get(copy);
    return copy;
  }

  /**
   * A fresh copy of the Java object in a {@link DType#KRYO} field; null where null was stored.
   *
   * @param codec knows the classes the writer registered, in the same order
   * @throws MalformedRecordException when the content is damaged or holds a class the codec does
   *     not know
   */
  public @Nullable Object object(String name, RecordCodec codec) {
    return codec.readObject(name, typed(name, DType.KRYO).data());
  }

  /** Small values beside the fields, in order: Long, Double, Boolean or String. */
  public Map<String, Object> attributes() {
    return attributes;
  }

  /** What the source looked like when the sample was made, as its owner states it; 0 = unknown. */
  public long sourceStamp() {
    return sourceStamp;
  }

  /** The same record of a source that looked like this; shares the memory of this one. */
  public SampleRecord withSourceStamp(long stamp) {
    return stamp == sourceStamp ? this : new SampleRecord(fields, attributes, stamp, createdMillis);
  }

  /** When the record was made, in milliseconds since 1970 UTC. */
  public long createdMillis() {
    return createdMillis;
  }

  private Field typed(String name, DType dtype) {
    Field field = field(name);
    if (field.dtype() != dtype) {
      throw new IllegalArgumentException(
          "field '%s' is %s, not %s".formatted(name, field.dtype().wireName(), dtype.wireName()));
    }
    return field;
  }

  @Override
  public String toString() {
    return fields.stream().map(Field::toString).collect(Collectors.joining(", ", "[", "]"))
        + (attributes.isEmpty() ? "" : " " + attributes);
  }

  /** One named array of a record. */
  public static final class Field {
    private final String name;
    private final DType dtype;
    private final long[] shape;
    private final ByteBuffer data;

    Field(String name, DType dtype, long[] shape, ByteBuffer data) {
      this.name = name;
      this.dtype = dtype;
      this.shape = shape;
      this.data = data.asReadOnlyBuffer();
    }

    public String name() {
      return name;
    }

    public DType dtype() {
      return dtype;
    }

    /** A copy of the dimensions, outermost first; empty for a scalar. */
    public long[] shape() {
      return shape.clone();
    }

    /** A new read-only little-endian view of the elements in row-major order, from 0 to its end. */
    public ByteBuffer data() {
      return data.slice().order(LITTLE_ENDIAN);
    }

    int length() {
      return data.remaining();
    }

    @Override
    public String toString() {
      return Schema.describe(name, dtype, shape);
    }
  }

  /** Puts a record together; every setter refuses what the layout cannot hold. Not thread-safe. */
  public static final class Builder {
    private final List<Field> fields = new ArrayList<>();
    private final Map<String, Object> attributes = new LinkedHashMap<>();
    private long sourceStamp;
    private @Nullable Long createdMillis;

    private Builder() {}

    /**
     * Adds an array.
     *
     * @param name unique in the record, 1 to 255 bytes of UTF-8
     * @param dtype a tensor type
     * @param shape dimensions, outermost first; at most 16; empty for a scalar
     * @param data the elements, row-major and little-endian whatever the buffer's own order says:
     *     from its position to its limit, which must be what dtype and shape need. Not copied
     * @throws IllegalArgumentException when one of these does not hold
     */
    public Builder tensor(String name, DType dtype, long[] shape, ByteBuffer data) {
      if (!dtype.isTensor()) {
        throw new IllegalArgumentException(
            "field '%s': dtype=%s is no tensor type, use %s()"
                .formatted(
                    name, dtype.wireName(), dtype == DType.KRYO ? "object" : dtype.wireName()));
      }
      String problem = Schema.shapeProblem(dtype, shape, data.remaining());
      if (problem != null) {
        throw new IllegalArgumentException("field '%s': %s".formatted(name, problem));
      }
      return add(new Field(name, dtype, shape.clone(), data));
    }

    /** Adds text. */
    public Builder utf8(String name, String text) {
      return addBytes(name, DType.UTF8, Utf8.encode("field '" + name + "'", text));
    }

    /** Adds bytes, not copied. */
    public Builder bytes(String name, byte[] bytes) {
      return addBytes(name, DType.BYTES, ByteBuffer.wrap(bytes));
    }

    /**
     * Adds a Java object that is no tensor, serialised at once.
     *
     * @param codec knows the object's classes
     * @throws IllegalArgumentException when a class is not registered, or the object takes more
     *     than {@link RecordCodec#MAX_OBJECT_BYTES}
     */
    public Builder object(String name, @Nullable Object value, RecordCodec codec) {
      return addBytes(name, DType.KRYO, codec.writeObject(name, value));
    }

    public Builder attribute(String name, long value) {
      return addAttribute(name, value);
    }

    public Builder attribute(String name, double value) {
      return addAttribute(name, value);
    }

    public Builder attribute(String name, boolean value) {
      return addAttribute(name, value);
    }

    /**
     * Adds a text attribute of at most 65,535 bytes of UTF-8; names and values of all attributes
     * share the 64 KiB of the descriptor.
     */
    public Builder attribute(String name, String value) {
      int length = Utf8.encode("attribute '" + name + "'", value).remaining();
      if (length > 0xFFFF) {
        throw new IllegalArgumentException(
            "attribute '%s' has %d bytes of UTF-8, allowed: up to 65535; use a utf8 field"
                .formatted(name, length));
      }
      return addAttribute(name, value);
    }

    /** What the source looked like, 0 (the default) = unknown; never interpreted by the cache. */
    public Builder sourceStamp(long stamp) {
      sourceStamp = stamp;
      return this;
    }

    /** When the record was made, milliseconds since 1970 UTC; by default when it is built. */
    public Builder createdMillis(long millis) {
      createdMillis = millis;
      return this;
    }

    public SampleRecord build() {
      return new SampleRecord(
          fields,
          attributes,
          sourceStamp,
          createdMillis == null ? System.currentTimeMillis() : createdMillis);
    }

    private Builder addBytes(String name, DType dtype, ByteBuffer data) {
      return add(new Field(name, dtype, new long[] {data.remaining()}, data));
    }

    private Builder add(Field field) {
      checkName("field", field.name());
      for (Field other : fields) {
        if (other.name().equals(field.name())) {
          throw new IllegalArgumentException("field '%s' is set twice".formatted(field.name()));
        }
      }
      checkCount("fields", fields.size() + 1, RecordLayout.MAX_FIELDS);
      fields.add(field);
      return this;
    }

    private Builder addAttribute(String name, Object value) {
      checkName("attribute", name);
      Object old = attributes.get(name);
      if (old != null) {
        throw new IllegalArgumentException(
            "attribute '%s' is set twice: %s and %s".formatted(name, old, value));
      }
      checkCount("attributes", attributes.size() + 1, RecordLayout.MAX_ATTRIBUTES);
      attributes.put(name, value);
      return this;
    }

    private static void checkName(String what, String name) {
      int length = Utf8.encode(what + " name", name).remaining();
      if (length < 1 || length > RecordLayout.MAX_NAME_BYTES) {
        throw new IllegalArgumentException(
            "%s name '%s' has %d bytes of UTF-8, allowed: 1 to %d"
                .formatted(what, name, length, RecordLayout.MAX_NAME_BYTES));
      }
    }

    private static void checkCount(String what, int count, int max) {
      if (count > max) {
        throw new IllegalArgumentException(
            "%s=%d, allowed: up to %d a record".formatted(what, count, max));
      }
    }
  }
}
