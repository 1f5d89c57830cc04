package io.trainingday.node.disk;

import io.trainingday.node.store.NativeMemory;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Native memory through which bytes pass between files and records, a piece for each thread that is
 * at it right now. Kept for the next one, at most one for each that was there at the same time.
 *
 * <p>256 KiB: what a file gave is still in the processor's cache when it is copied on, and most
 * records fit in one.
 */
final class Staging {
  static final int BYTES = 256 << 10;

  private final ConcurrentLinkedQueue<Piece> free = new ConcurrentLinkedQueue<>();

  /** A piece, to be given back with {@link #free}. */
  Piece take() {
    Piece piece = free.poll();
    return piece == null ? new Piece() : piece;
  }

  void free(Piece piece) {
    free.offer(piece);
  }

  /** One thread's. */
  static final class Piece {
    final ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES);
    final long address = NativeMemory.address(bytes);

    private Piece() {}
  }
}
