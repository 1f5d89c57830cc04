package io.trainingday.record;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.io.ByteBufferOutput;
import com.esotericsoftware.kryo.io.KryoBufferOverflowException;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.util.Pool;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Turns records into bytes and back, through Kryo.
 *
 * <p>Thread-safe. One codec holds the classes of Java objects in records; records without such
 * fields need none, and any codec reads them. Encoding copies each field once and makes one
 * checksum pass; decoding copies nothing and checks everything but the checksum, for which there is
 * {@link #verify}.
 */
public final class RecordCodec {
  /** The most bytes one Java object may take in a record: 16 MiB. */
  public static final int MAX_OBJECT_BYTES = 16 * 1024 * 1024;

  private static final int POOLED = 64;

  private static final Pool<Kryo> FRAMES =
      new Pool<>(true, false, POOLED) {
        @Override
        protected Kryo create() {
          Kryo kryo = new Kryo();
          kryo.setRegistrationRequired(true);
          kryo.setReferences(false);
          kryo.register(RecordSerializer.LaidOut.class, new RecordSerializer());
          return kryo;
        }
      };

  private final Pool<Kryo> objects;

  private RecordCodec(Consumer<Kryo> registrations) {
    this.objects =
        new Pool<>(true, false, POOLED) {
          @Override
          protected Kryo create() {
            return new ObjectKryo(registrations);
          }
        };
  }

  /** A codec for records whose Java objects are boxed primitives and strings at most. */
  public static RecordCodec create() {
    return create(kryo -> {});
  }

  /**
   * A codec that knows more classes.
   *
   * @param registrations calls {@code kryo.register(...)} for each class in object fields: the same
   *     ones in the same order wherever such records are written or read. Called once for each Kryo
   *     in use, from any thread. Every class whose bytes carry a length of their own through a
   *     serializer of the caller's must check it against {@code input.limit() - input.position()}
   */
  public static RecordCodec create(Consumer<Kryo> registrations) {
    return new RecordCodec(registrations);
  }

  /**
   * Bytes that encoding takes.
   *
   * @throws IllegalArgumentException when the record does not fit the format's limits
   */
  public static int encodedLength(SampleRecord record) {
    return RecordLayout.of(record).recordLength();
  }

  /** The record in a new array of exactly its length. Errors as {@link #encodedLength}. */
  public byte[] encode(SampleRecord record) {
    RecordLayout layout = RecordLayout.of(record);
    byte[] bytes = new byte[layout.recordLength()];
    write(record, layout, ByteBuffer.wrap(bytes));
    return bytes;
  }

  /**
   * Writes the record at the target's position, which moves behind it.
   *
   * @return the bytes written
   * @throws IllegalArgumentException when the record does not fit the target's remaining bytes
   *     (nothing is written then) or the format's limits
   */
  public int encode(SampleRecord record, ByteBuffer target) {
    RecordLayout layout = RecordLayout.of(record);
    int length = layout.recordLength();
    if (length > target.remaining()) {
      throw new IllegalArgumentException(
          "record of %d bytes, but the target has room for %d"
              .formatted(length, target.remaining()));
    }
    write(record, layout, target.slice(target.position(), length));
    target.position(target.position() + length);
    return length;
  }

  /**
   * The record in the buffer's remaining bytes, all of them. Its fields are views of the buffer,
   * whose position is left alone. The checksum is not looked at.
   *
   * @throws MalformedRecordException when the bytes are no record
   */
  public SampleRecord decode(ByteBuffer bytes) {
    Kryo kryo = FRAMES.obtain();
    try {
      return kryo.readObject(new BoundedInput(bytes), RecordSerializer.LaidOut.class).record();
    } finally {
      FRAMES.free(kryo);
    }
  }

  /**
   * Whether the buffer's remaining bytes are a record with the checksum its header states. Looks at
   * lengths and checksum alone; on a hot path use a {@link RecordChecksum} of your own.
   */
  public static boolean verify(ByteBuffer bytes) {
    return new RecordChecksum().matches(bytes.duplicate(), bytes.position(), bytes.remaining());
  }

  ByteBuffer writeObject(String field, @Nullable Object value) {
    // Back to the pool on success only: a failure can leave a Kryo's inner stacks unbalanced.
    Kryo kryo = objects.obtain();
    try {
      Output output = new Output(256, MAX_OBJECT_BYTES);
      kryo.writeClassAndObject(output, value);
      objects.free(kryo);
      return ByteBuffer.wrap(output.getBuffer(), 0, output.position());
    } catch (KryoBufferOverflowException e) {
      throw new IllegalArgumentException(
          "field '%s': the object takes more than %d bytes, store it as bytes or tensors"
              .formatted(field, MAX_OBJECT_BYTES),
          e);
    } catch (KryoException | IllegalArgumentException e) {
      throw new IllegalArgumentException("field '%s': %s".formatted(field, e.getMessage()), e);
    }
  }

  @Nullable Object readObject(String field, ByteBuffer bytes) {
    if (bytes.remaining() > MAX_OBJECT_BYTES) {
      throw new MalformedRecordException(
          0, "object bytes of field '" + field + "'", bytes.remaining(), "up to 16 MiB");
    }
    Kryo kryo = objects.obtain();
    try {
      BoundedInput input = new BoundedInput(bytes);
      Object value = kryo.readClassAndObject(input);
      if (input.position() != input.limit()) {
        throw new KryoException(
            "%d bytes are left over".formatted(input.limit() - input.position()));
      }
      objects.free(kryo);
      return value;
    } catch (RuntimeException e) {
      // Kryo and the constructors it calls throw whatever the bytes lead them to.
      throw new MalformedRecordException(
          "field '%s' holds no object this codec can read (%s); register the writer's classes in the writer's order"
              .formatted(field, e.getMessage()),
          e);
    }
  }

  private static void write(SampleRecord record, RecordLayout layout, ByteBuffer target) {
    Kryo kryo = FRAMES.obtain();
    try {
      kryo.writeObject(new ByteBufferOutput(target), new RecordSerializer.LaidOut(record, layout));
    } finally {
      FRAMES.free(kryo);
    }
  }
}
