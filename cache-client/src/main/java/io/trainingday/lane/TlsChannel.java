package io.trainingday.lane;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/**
 * The bytes of a connection in TLS. Plain bytes go straight to where the reader wants them as soon
 * as a whole TLS record fits there.
 *
 * <p>What TLS itself sends after the handshake (an answer to a change of keys) goes out with the
 * next request, which is when it is due. There is no goodbye: a frame that is cut off is seen by
 * its length.
 */
final class TlsChannel implements LaneChannel {
  /** TLS records read or written with one call of the system, at most. */
  private static final int RECORDS_AT_ONCE = 8;

  private static final ByteBuffer[] NOTHING = {ByteBuffer.allocate(0)};

  private final SocketChannel socket;
  private final SSLEngine engine;
  private final LaneAddress address;
  private final int recordBytes;

  // The reader's; both are ready to be read from.
  private final ByteBuffer encrypted;
  private final ByteBuffer decrypted;
  private boolean ended;

  // The writer's; ready to be read from.
  private final ByteBuffer outgoing;

  private TlsChannel(SocketChannel socket, SSLEngine engine, LaneAddress address) {
    this.socket = socket;
    this.engine = engine;
    this.address = address;
    this.recordBytes = engine.getSession().getPacketBufferSize();
    this.encrypted = ByteBuffer.allocate(RECORDS_AT_ONCE * recordBytes).limit(0);
    this.outgoing = ByteBuffer.allocate(RECORDS_AT_ONCE * recordBytes).limit(0);
    this.decrypted = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize()).limit(0);
  }

  /**
   * Greets by TLS.
   *
   * @param socket connected, non-blocking, in no selector
   * @throws LaneTlsException if the two do not accept each other
   * @throws IOException if the connection breaks or the deadline passes
   */
  static TlsChannel greet(
      SocketChannel socket, SSLEngine engine, LaneAddress address, long deadlineNanos)
      throws IOException {
    TlsChannel channel = new TlsChannel(socket, engine, address);
    boolean interrupted = false;
    try (Selector selector = Selector.open()) {
      SelectionKey key = socket.register(selector, SelectionKey.OP_READ);
      engine.beginHandshake();
      while (channel.isGreeting()) {
        int waitFor = channel.greetOn();
        if (waitFor != 0) {
          // A selector does not sleep while the flag is set.
          interrupted |= Thread.interrupted();
          if (deadlineNanos - System.nanoTime() <= 0) {
            throw new IOException("no TLS handshake with %s in time".formatted(address));
          }
          key.interestOps(waitFor);
          selector.select(ready -> {}, LaneConnection.millisUntil(deadlineNanos));
        }
      }
      return channel;
    } catch (SSLException e) {
      channel.sayWhy();
      throw LaneTlsException.of(address, e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private boolean isGreeting() {
    HandshakeStatus status = engine.getHandshakeStatus();
    return outgoing.hasRemaining()
        || (status != HandshakeStatus.NOT_HANDSHAKING && status != HandshakeStatus.FINISHED);
  }

  /** Goes on with the handshake; what of the socket has to be waited for, 0 for nothing. */
  private int greetOn() throws IOException {
    if (!flush()) {
      return SelectionKey.OP_WRITE;
    }
    HandshakeStatus status = engine.getHandshakeStatus();
    if (status == HandshakeStatus.NEED_WRAP) {
      wrap(NOTHING);
    } else if (status == HandshakeStatus.NEED_TASK) {
      runTasks();
    } else if (!unwrapAside() && engine.getHandshakeStatus() == status && !receive()) {
      if (ended) {
        throw new EOFException(
            "the node at %s closed the connection during the TLS handshake".formatted(address));
      }
      return SelectionKey.OP_READ;
    }
    return 0;
  }

  /** Sends the alert that tells the other side what is wrong, as far as that goes at once. */
  private void sayWhy() {
    try {
      wrap(NOTHING);
      flush();
    } catch (IOException e) {
      return; // It is not wanted any more; the reason is thrown here in any case.
    }
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    int start = target.position();
    try {
      while (target.hasRemaining()) {
        if (decrypted.hasRemaining()) {
          int count = Math.min(decrypted.remaining(), target.remaining());
          target.put(decrypted.slice(decrypted.position(), count));
          decrypted.position(decrypted.position() + count);
        } else if (!unwrap(target) && !receive()) {
          break;
        }
      }
    } catch (SSLException e) {
      throw LaneTlsException.of(address, e);
    }
    int count = target.position() - start;
    return count == 0 && ended ? -1 : count;
  }

  /** Decrypts one record to the target if it surely fits; false if there is none that is whole. */
  private boolean unwrap(ByteBuffer target) throws SSLException {
    if (target.remaining() < decrypted.capacity()) {
      return unwrapAside();
    }
    return encrypted.hasRemaining() && goOn(engine.unwrap(encrypted, target));
  }

  private boolean unwrapAside() throws SSLException {
    if (!encrypted.hasRemaining()) {
      return false;
    }
    decrypted.clear();
    try {
      return goOn(engine.unwrap(encrypted, decrypted));
    } finally {
      decrypted.flip();
    }
  }

  /** Whether there may be more to decrypt at once. */
  private boolean goOn(SSLEngineResult result) throws SSLException {
    if (result.getHandshakeStatus() == HandshakeStatus.NEED_TASK) {
      runTasks();
      return true;
    }
    return switch (result.getStatus()) {
      case OK -> result.bytesConsumed() > 0;
      case BUFFER_UNDERFLOW -> false;
      case CLOSED -> {
        ended = true;
        encrypted.limit(encrypted.position());
        yield false;
      }
      case BUFFER_OVERFLOW -> throw new SSLException("a record larger than TLS allows");
    };
  }

  private boolean receive() throws IOException {
    if (ended) {
      return false;
    }
    encrypted.compact();
    int count;
    try {
      count = socket.read(encrypted);
    } finally {
      encrypted.flip();
    }
    ended = count < 0;
    return count > 0;
  }

  @Override
  public boolean write(ByteBuffer[] out) throws IOException {
    try {
      while (flush()) {
        if (!LaneChannel.hasRemaining(out)) {
          return true;
        }
        wrap(out);
      }
      return false;
    } catch (SSLException e) {
      throw LaneTlsException.of(address, e);
    }
  }

  private void wrap(ByteBuffer[] out) throws IOException {
    outgoing.clear();
    try {
      do {
        SSLEngineResult result = engine.wrap(out, outgoing);
        if (result.bytesProduced() == 0) {
          throw new EOFException("the node at %s ended the TLS connection".formatted(address));
        }
      } while (LaneChannel.hasRemaining(out) && outgoing.remaining() >= recordBytes);
    } finally {
      outgoing.flip();
    }
  }

  private boolean flush() throws IOException {
    while (outgoing.hasRemaining()) {
      if (socket.write(outgoing) == 0) {
        return false;
      }
    }
    return true;
  }

  private void runTasks() {
    for (Runnable task = engine.getDelegatedTask();
        task != null;
        task = engine.getDelegatedTask()) {
      task.run();
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
