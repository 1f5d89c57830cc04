package io.trainingday.node.lane;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.agrona.BufferUtil;

/**
 * The ways a record's bytes are laid down. Sinks check the record's length in {@link
 * RecordSink#begin} and refuse what does not fit, so that the copies behind it need no checks.
 */
final class Sinks {
  private Sinks() {}

  /** Lays a record down in one piece. */
  static final class Whole implements RecordSink {
    private long address;
    private long room;
    private int length;

    Whole at(long address, long room) {
      this.address = address;
      this.room = room;
      length = -1;
      return this;
    }

    /** Bytes of the record that was offered, -1 if none was. */
    int offered() {
      return length;
    }

    @Override
    public boolean begin(int recordLength) {
      length = recordLength;
      return recordLength <= room;
    }

    @Override
    public void copy(long source, int count) {
      NativeMemory.copy(source, address, count);
      address += count;
    }

    @Override
    public void copy(byte[] bytes, int offset, int count) {
      NativeMemory.copy(bytes, offset, address, count);
      address += count;
    }
  }

  /** Keeps the first bytes of a record and lets the rest go by. */
  static final class Head implements RecordSink {
    private long address;
    private int room;
    private int length;

    Head at(long address, int room) {
      this.address = address;
      this.room = room;
      length = -1;
      return this;
    }

    int offered() {
      return length;
    }

    @Override
    public boolean begin(int recordLength) {
      length = recordLength;
      return true;
    }

    @Override
    public void copy(long source, int count) {
      int kept = Math.min(count, room);
      if (kept > 0) {
        NativeMemory.copy(source, address, kept);
        address += kept;
        room -= kept;
      }
    }

    @Override
    public void copy(byte[] bytes, int offset, int count) {
      int kept = Math.min(count, room);
      if (kept > 0) {
        NativeMemory.copy(bytes, offset, address, kept);
        address += kept;
        room -= kept;
      }
    }
  }

  /**
   * Takes a record apart on its way: everything before the body goes to one place, each field to
   * its own, the gaps between fields nowhere.
   */
  static final class Scatter implements RecordSink {
    private final int recordLength;
    private final int[] pieceLengths;
    private final long[] pieceAddresses;
    private boolean refused;
    private int piece;
    private int done;

    /**
     * @param recordLength the only length taken
     * @param pieceLengths their sum is recordLength
     */
    private Scatter(int recordLength, int[] pieceLengths) {
      this.recordLength = recordLength;
      this.pieceLengths = pieceLengths;
      this.pieceAddresses = new long[pieceLengths.length];
    }

    Scatter(Scatter other) {
      this(other.recordLength, other.pieceLengths);
    }

    /** For records of one layout; its pieces are head, field 0, gap, field 1, gap … */
    static Scatter of(RecordLayout layout) {
      List<RecordLayout.Field> fields = layout.fields();
      int[] lengths = new int[1 + 2 * fields.size()];
      lengths[0] = layout.bodyStart();
      for (int f = 0; f < fields.size(); f++) {
        int end = fields.get(f).offset() + fields.get(f).length();
        int next = f + 1 < fields.size() ? fields.get(f + 1).offset() : layout.recordLength();
        lengths[fieldPiece(f)] = fields.get(f).length();
        lengths[fieldPiece(f) + 1] = next - end;
      }
      return new Scatter(layout.recordLength(), lengths);
    }

    /** The piece that field {@code f} is; piece 0 is all before the body. */
    static int fieldPiece(int f) {
      return 1 + 2 * f;
    }

    /** Where a piece of the next record goes; 0 lets it go by. */
    void place(int piece, long address) {
      pieceAddresses[piece] = address;
    }

    void reset() {
      refused = false;
      piece = 0;
      done = 0;
    }

    /** Whether a record of another length was offered. */
    boolean refused() {
      return refused;
    }

    @Override
    public boolean begin(int length) {
      refused = length != recordLength;
      return !refused;
    }

    @Override
    public void copy(long source, int count) {
      while (count > 0) {
        int part = Math.min(count, pieceLengths[piece] - done);
        long target = pieceAddresses[piece];
        if (target != 0 && part > 0) {
          NativeMemory.copy(source, target + done, part);
        }
        source += part;
        count -= part;
        advance(part);
      }
    }

    @Override
    public void copy(byte[] bytes, int offset, int count) {
      while (count > 0) {
        int part = Math.min(count, pieceLengths[piece] - done);
        long target = pieceAddresses[piece];
        if (target != 0 && part > 0) {
          NativeMemory.copy(bytes, offset, target + done, part);
        }
        offset += part;
        count -= part;
        advance(part);
      }
    }

    private void advance(int part) {
      done += part;
      if (done == pieceLengths[piece]) {
        piece++;
        done = 0;
      }
    }
  }

  /** Direct memory that one thread uses for records it must look at before they can be placed. */
  static final class Scratch {
    private ByteBuffer bytes = allocate(128 << 10);
    private long address = BufferUtil.address(bytes);

    ByteBuffer bytes() {
      return bytes;
    }

    long address() {
      return address;
    }

    int capacity() {
      return bytes.capacity();
    }

    void ensure(int capacity) {
      if (capacity > bytes.capacity()) {
        BufferUtil.free(bytes);
        bytes = allocate(capacity);
        address = BufferUtil.address(bytes);
      }
    }

    private static ByteBuffer allocate(int capacity) {
      return ByteBuffer.allocateDirect(capacity).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
