package io.trainingday.node.lane;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Keeps the heads of records, from which the places of the records themselves follow. */
final class HeadPlaces implements Places {
  private static final int MAX_HEAD_BYTES =
      RecordLayout.HEADER_BYTES + RecordLayout.MAX_DESCRIPTOR_BYTES + RecordLayout.ALIGNMENT;

  /** A record as far as it is known; the bytes may be of another one of the same layout. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Head(RecordLayout layout, byte[] bytes) {}

  private final Map<Integer, Head> heads = new HashMap<>();
  private final Layouts layouts = new Layouts();
  private final Map<RecordLayout, Head> kinds = new HashMap<>();
  private byte[] bytes = new byte[0];
  private int recordBytes;
  private int filled;

  /** The head of a sample that was found sound. */
  Head head(int i) {
    Head head = heads.get(i);
    if (head == null) {
      throw new IllegalStateException("no head of sample " + i);
    }
    return head;
  }

  @Override
  public @Nullable RecordSink begin(int i, int length, int sentBytes) {
    recordBytes = length;
    filled = 0;
    bytes = new byte[Math.min(sentBytes, MAX_HEAD_BYTES)];
    return sentBytes > MAX_HEAD_BYTES ? null : new Sink();
  }

  @Override
  public Outcome end(int i) {
    if (filled < bytes.length) {
      return Outcome.DAMAGED;
    }
    try {
      RecordLayout layout = layouts.of(ByteBuffer.wrap(bytes), recordBytes);
      heads.put(i, kinds.computeIfAbsent(layout, first -> new Head(first, bytes)));
      return Outcome.HEAD;
    } catch (MalformedRecordException e) {
      return Outcome.DAMAGED;
    }
  }

  private final class Sink implements RecordSink {
    @Override
    public boolean begin(int recordLength) {
      return true;
    }

    @Override
    public void copy(long address, int length) {
      NativeMemory.copy(address, bytes, filled, length);
      filled += length;
    }

    @Override
    public void copy(byte[] source, int offset, int length) {
      System.arraycopy(source, offset, bytes, filled, length);
      filled += length;
    }
  }
}
