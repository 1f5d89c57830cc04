package io.trainingday.lane;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** The bytes of one connection. Nothing blocks; one thread may read while another writes. */
interface LaneChannel extends Closeable {
  /** Takes what is there, as far as it fits; 0 if that is nothing now, -1 at the end. */
  int read(ByteBuffer target) throws IOException;

  /**
   * Sends as much as the socket takes.
   *
   * @return whether all has gone; if not, the same buffers are to be given again
   */
  boolean write(ByteBuffer[] out) throws IOException;

  /** The socket's bytes as they are. */
  static LaneChannel plain(SocketChannel socket) {
    return new LaneChannel() {
      @Override
      public int read(ByteBuffer target) throws IOException {
        return socket.read(target);
      }

      @Override
      public boolean write(ByteBuffer[] out) throws IOException {
        socket.write(out);
        return !hasRemaining(out);
      }

      @Override
      public void close() throws IOException {
        socket.close();
      }
    };
  }

  static boolean hasRemaining(ByteBuffer[] buffers) {
    for (ByteBuffer buffer : buffers) {
      if (buffer.hasRemaining()) {
        return true;
      }
    }
    return false;
  }
}
