package io.trainingday.lane;

import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.Hello;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Role;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One connection to a node, for any number of threads. There is no thread of its own: one of those
 * that wait for a reply reads the socket for all, so that a lone caller is never handed from thread
 * to thread.
 *
 * <p>No call outlasts its deadline, unless the node is heard: while a long reply arrives, to
 * whichever call, all begin their wait anew, up to five times as long as they were given. A reply
 * that has not come by then ends the connection, as does anything that breaks the protocol: nothing
 * that belonged to it, shared memory above all, may be used for new requests, because the node may
 * still be writing there. Interrupts are kept for later.
 */
public final class LaneConnection implements AutoCloseable {
  /**
   * How long a reader asks the socket again and again before it sleeps. A local node answers a
   * small read within this time, and waking from a sleep costs as much again.
   */
  private static final long SPIN_NANOS = 20_000;

  /** So many times what a call was given is the longest that it waits, whatever arrives. */
  private static final int MOST_TIMES = 5;

  private static final int READ_BUFFER_BYTES = 64 << 10;
  private static final int MAX_FRAME_BYTES = 1 << 30;
  private static final int BATCH_TYPE = 0x86;
  private static final int BATCH_FLAGS_AT = 9;
  private static final int INLINE_FLAG = 1;

  /**
   * An answer.
   *
   * @param message what the node said, never a {@link Failure}
   * @param payload of a {@link Batch} with inline payload, starting at a multiple of 64; the caller
   *     closes it
   */
  public record Reply(LaneMessage message, LaneMemory.@Nullable Block payload) {}

  private final LaneAddress address;
  private final LaneChannel channel;
  private final Selector readable;
  private final Selector writable;
  private final LaneMemory memory;

  private final ReentrantLock writing = new ReentrantLock();
  private final ReentrantLock lock = new ReentrantLock();
  // Guarded by lock.
  private final Map<Long, Pending> pending = new HashMap<>();
  private long nextId = 1;
  private boolean someoneReads;
  private @Nullable IOException failure;

  // Of whoever reads; handed on under lock.
  private final ByteBuffer in =
      ByteBuffer.allocateDirect(READ_BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private @Nullable Frame frame;
  private LaneMemory.@Nullable Block body;

  /** When some of a long reply last came. */
  private volatile long heardNanos = System.nanoTime();

  private volatile int version = LaneMessage.OLDEST_VERSION;
  private volatile int maxFrameBytes = Frame.MAX_GREETING_BYTES;
  private volatile Semaphore inFlight = new Semaphore(1);
  private volatile boolean open = true;
  private volatile boolean going;
  private final HelloReply limits;

  /** One request whose reply is awaited. */
  private static final class Pending {
    final int replyType;
    final Condition changed;
    volatile @Nullable Reply reply;
    boolean waits;

    Pending(int replyType, Condition changed) {
      this.replyType = replyType;
      this.changed = changed;
    }
  }

  /** How long one call waits. */
  private final class Patience {
    private final long startNanos = System.nanoTime();
    private final long givenNanos;

    Patience(long deadlineNanos) {
      givenNanos = deadlineNanos - startNanos;
    }

    /** The deadline, as far on as the node has been heard since the call began. */
    long endNanos() {
      long movedNanos = Math.max(0, heardNanos - startNanos);
      return startNanos + givenNanos + Math.min(movedNanos, (MOST_TIMES - 1) * givenNanos);
    }

    long leftNanos() {
      return endNanos() - System.nanoTime();
    }

    boolean isOver() {
      return leftNanos() <= 0;
    }
  }

  private LaneConnection(
      LaneAddress address,
      LaneChannel channel,
      Selector readable,
      Selector writable,
      LaneMemory memory,
      Hello hello,
      long deadlineNanos)
      throws IOException {
    this.address = address;
    this.channel = channel;
    this.readable = readable;
    this.writable = writable;
    this.memory = memory;
    HelloReply reply = (HelloReply) call(hello, deadlineNanos).message();
    if (reply.version() < LaneMessage.OLDEST_VERSION
        || reply.version() > LaneMessage.VERSION
        || reply.maxFrameBytes() < Frame.MAX_GREETING_BYTES
        || reply.maxFrameBytes() > MAX_FRAME_BYTES
        || reply.maxRequestsInFlight() < 1
        || reply.answerTimeoutMillis() < 1
        || reply.leaseTimeoutMillis() < 1) {
      throw fail(new IOException("node at %s: unusable limits %s".formatted(address, reply)));
    }
    this.limits = reply;
    this.version = reply.version();
    this.maxFrameBytes = reply.maxFrameBytes();
    this.inFlight = new Semaphore(reply.maxRequestsInFlight());
  }

  /**
   * Connects and greets.
   *
   * @param access what a connection over TCP shows
   * @param client who is calling, for people; at most 256 bytes
   * @param memory where inline payload goes
   * @param timeoutNanos for all of it; resolving a host name does not count
   * @throws LaneTlsException if the two ends do not accept each other's certificates
   * @throws IOException if there is no node, it does not answer in time or breaks the protocol
   * @throws LaneException if it refuses
   */
  public static LaneConnection open(
      LaneAddress address,
      Role role,
      LaneAccess access,
      String client,
      LaneMemory memory,
      long timeoutNanos)
      throws IOException {
    SocketAddress target = address.resolve();
    if (target instanceof InetSocketAddress inet && inet.isUnresolved()) {
      throw new IOException("host '%s' of %s is unknown".formatted(inet.getHostString(), address));
    }
    long deadline = System.nanoTime() + timeoutNanos;
    SocketChannel socket =
        address.isLocal() ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
    Selector readable = null;
    Selector writable = null;
    try {
      readable = Selector.open();
      writable = Selector.open();
      socket.configureBlocking(false);
      if (!address.isLocal()) {
        SocketBuffers.setOn(socket);
      }
      connect(socket, target, address, deadline);
      LaneChannel channel = LaneChannel.plain(socket);
      String token = "";
      if (!address.isLocal()) {
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
        socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        token = access.token();
        LaneTls tls = access.tls();
        if (tls != null) {
          channel =
              TlsChannel.greet(
                  socket, tls.client(address.host(), address.port()), address, deadline);
        }
      }
      socket.register(readable, SelectionKey.OP_READ);
      socket.register(writable, SelectionKey.OP_WRITE);
      Hello hello = new Hello(LaneMessage.OLDEST_VERSION, LaneMessage.VERSION, role, token, client);
      return new LaneConnection(address, channel, readable, writable, memory, hello, deadline);
    } catch (IOException | RuntimeException e) {
      socket.close();
      if (readable != null) {
        readable.close();
      }
      if (writable != null) {
        writable.close();
      }
      throw e;
    }
  }

  private static void connect(
      SocketChannel channel, SocketAddress target, LaneAddress address, long deadline)
      throws IOException {
    if (channel.connect(target)) {
      return;
    }
    try (Selector connectable = Selector.open()) {
      channel.register(connectable, SelectionKey.OP_CONNECT);
      boolean interrupted = false;
      while (!channel.finishConnect()) {
        interrupted |= Thread.interrupted();
        if (deadline - System.nanoTime() <= 0) {
          throw new IOException("no connection to %s in time".formatted(address));
        }
        connectable.select(millisUntil(deadline));
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** What the node allows on this connection. */
  public HelloReply limits() {
    return limits;
  }

  /** Whether requests can still be made. */
  public boolean isOpen() {
    return open;
  }

  /** Whether the node has said that it goes; requests are still answered until it is gone. */
  public boolean isGoing() {
    return going;
  }

  /**
   * Takes what the node has said unasked; without it that is heard when the next reply is read.
   * Waits for nothing, and does nothing while somebody else reads.
   */
  public void listen() {
    lock.lock();
    try {
      if (someoneReads || failure != null) {
        return;
      }
      someoneReads = true;
    } finally {
      lock.unlock();
    }
    try {
      boolean more = true;
      while (more) {
        more = readSome();
      }
    } catch (IOException e) {
      throwAway(fail(e));
    } catch (LaneException e) {
      throwAway(fail(new IOException("node at %s: %s".formatted(address, e.getMessage()), e)));
    } finally {
      lock.lock();
      try {
        stopReading();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Whoever makes the next request is told. */
  private static void throwAway(IOException unused) {}

  /**
   * Sends a request and waits for its reply. A {@link Fill} record is sent from where it lies.
   *
   * @param deadlineNanos by {@link System#nanoTime}; later while a long reply arrives
   * @return the reply that belongs to the request
   * @throws LaneException if the node answered with an error
   * @throws IOException if the connection is or was ended, by this call's deadline too
   */
  public Reply call(LaneMessage request, long deadlineNanos) throws IOException {
    checkKnown(request);
    Patience patience = new Patience(deadlineNanos);
    Interrupts interrupts = new Interrupts();
    Semaphore permits = inFlight;
    try {
      if (!interrupts.acquire(permits, patience)) {
        throw fail(late("takes no request"));
      }
      try {
        return exchange(request, patience, interrupts);
      } finally {
        permits.release();
      }
    } finally {
      interrupts.restore();
    }
  }

  private void checkKnown(LaneMessage request) {
    int since = LaneMessage.sinceVersion(request.type());
    if (since > version) {
      throw new LaneException(
          LaneException.Code.UNSUPPORTED_VERSION,
          "the node at %s speaks protocol version %d, message type %d needs %d; update the node"
              .formatted(address, version, request.type(), since));
    }
  }

  private Reply exchange(LaneMessage request, Patience patience, Interrupts interrupts)
      throws IOException {
    Pending mine;
    long id;
    lock.lock();
    try {
      if (failure != null) {
        throw new IOException(failure.getMessage(), failure);
      }
      id = nextId++;
      mine = new Pending(request.type() | LaneMessage.REPLY_BIT, lock.newCondition());
      pending.put(id, mine);
    } finally {
      lock.unlock();
    }
    ByteBuffer[] out =
        request instanceof Fill fill
            ? new ByteBuffer[] {fill.head(id), fill.record().duplicate()}
            : new ByteBuffer[] {request.frame(id)};
    checkFits(id, out);
    write(out, patience, interrupts);
    Reply reply = await(mine, patience, interrupts);
    if (reply.message() instanceof Failure error) {
      throw error.toException();
    }
    return reply;
  }

  private void checkFits(long id, ByteBuffer[] out) {
    long bytes = -Frame.HEADER_BYTES;
    for (ByteBuffer part : out) {
      bytes += part.remaining();
    }
    if (bytes <= maxFrameBytes) {
      return;
    }
    lock.lock();
    try {
      pending.remove(id);
    } finally {
      lock.unlock();
    }
    throw new LaneException(
        LaneException.Code.TOO_LARGE,
        "a request of %d bytes > maxFrameBytes=%d of the node at %s, ask for less at a time or raise lane.maxFrameSize"
            .formatted(bytes, maxFrameBytes, address));
  }

  private void write(ByteBuffer[] out, Patience patience, Interrupts interrupts)
      throws IOException {
    if (!interrupts.lock(writing, patience)) {
      throw fail(late("does not read"));
    }
    try {
      while (!channel.write(out)) {
        interrupts.note();
        if (patience.isOver()) {
          throw late("does not read");
        }
        writable.select(key -> {}, millisUntil(patience.endNanos()));
      }
    } catch (IOException e) {
      throw fail(e);
    } catch (ClosedSelectorException e) {
      throw fail(new IOException("the connection to %s was closed".formatted(address), e));
    } finally {
      writing.unlock();
    }
  }

  private Reply await(Pending mine, Patience patience, Interrupts interrupts) throws IOException {
    lock.lock();
    try {
      while (true) {
        Reply reply = mine.reply;
        if (reply != null) {
          return reply;
        }
        if (failure != null) {
          throw new IOException(failure.getMessage(), failure);
        }
        if (patience.isOver()) {
          throw fail(late("did not answer"));
        }
        if (someoneReads) {
          mine.waits = true;
          interrupts.await(
              mine.changed, () -> mine.reply != null || failure != null || !someoneReads, patience);
          mine.waits = false;
        } else {
          someoneReads = true;
          lock.unlock();
          try {
            read(mine, patience, interrupts);
          } finally {
            lock.lock();
            stopReading();
          }
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** Under the lock. */
  private void stopReading() {
    someoneReads = false;
    if (failure == null) {
      passReadingOn();
    } else {
      giveBodyBack();
    }
  }

  private void passReadingOn() {
    for (Pending other : pending.values()) {
      if (other.waits && other.reply == null) {
        other.changed.signal();
        return;
      }
    }
  }

  /** Reads for everybody until {@code mine} is answered. Only the one reader is ever here. */
  private void read(Pending mine, Patience patience, Interrupts interrupts) throws IOException {
    try {
      long spinUntil = System.nanoTime() + SPIN_NANOS;
      while (mine.reply == null) {
        if (readSome()) {
          spinUntil = System.nanoTime() + SPIN_NANOS;
          continue;
        }
        if (System.nanoTime() - spinUntil < 0) {
          Thread.onSpinWait();
        } else if (patience.isOver()) {
          throw late("did not answer");
        } else {
          interrupts.note();
          readable.select(key -> {}, millisUntil(patience.endNanos()));
        }
      }
    } catch (IOException e) {
      throw fail(e);
    } catch (LaneException e) {
      throw fail(new IOException("node at %s: %s".formatted(address, e.getMessage()), e));
    } catch (ClosedSelectorException e) {
      throw fail(new IOException("the connection to %s was closed".formatted(address), e));
    }
  }

  /** Takes what the socket has; false if that is nothing. */
  private boolean readSome() throws IOException {
    Frame current = frame;
    LaneMemory.Block block = body;
    int count = channel.read(block == null ? in : block.buffer());
    if (count < 0) {
      throw new EOFException("the node at %s closed the connection".formatted(address));
    }
    if (block == null) {
      in.flip();
      while (takeFrame()) {}
      in.compact();
    } else if (count > 0) {
      heardNanos = System.nanoTime();
    }
    if (block != null && current != null && !block.buffer().hasRemaining()) {
      body = null;
      frame = null;
      deliver(current, block);
    }
    return count > 0;
  }

  /** Takes one frame off the read buffer; false if there is none that is whole. */
  private boolean takeFrame() throws IOException {
    Frame next = frame;
    if (next == null) {
      if (in.remaining() < Frame.HEADER_BYTES) {
        return false;
      }
      next = Frame.read(in, maxFrameBytes);
      frame = next;
    }
    boolean whole = in.remaining() >= next.bodyBytes();
    if (whole && !hasPayload(next)) {
      ByteBuffer bytes = in.slice(in.position(), next.bodyBytes());
      in.position(in.position() + next.bodyBytes());
      frame = null;
      complete(next, new Reply(LaneMessage.decode(next.type(), bytes), null));
      return true;
    }
    if (!whole && next.bodyBytes() <= READ_BUFFER_BYTES / 2 && next.type() != BATCH_TYPE) {
      return false;
    }
    // The rest is read to where it will stay: with payload, or longer than the buffer.
    LaneMemory.Block block = memory.take(next.bodyBytes());
    int here = Math.min(in.remaining(), next.bodyBytes());
    block.buffer().put(in.slice(in.position(), here));
    in.position(in.position() + here);
    if (!whole) {
      body = block;
      heardNanos = System.nanoTime();
      return false;
    }
    frame = null;
    deliver(next, block);
    return true;
  }

  private boolean hasPayload(Frame next) {
    return next.type() == BATCH_TYPE
        && next.bodyBytes() > BATCH_FLAGS_AT
        && (in.get(in.position() + BATCH_FLAGS_AT) & INLINE_FLAG) != 0;
  }

  private void deliver(Frame whole, LaneMemory.Block block) throws IOException {
    boolean kept = false;
    try {
      ByteBuffer bytes = block.buffer().flip();
      LaneMessage message = LaneMessage.decode(whole.type(), bytes);
      if (message instanceof Batch batch && batch.inline()) {
        int start = batch.payloadStart(whole.bodyBytes());
        kept = complete(whole, new Reply(batch, block.narrow(start, whole.bodyBytes() - start)));
      } else {
        complete(whole, new Reply(message, null));
      }
    } finally {
      if (!kept) {
        block.close();
      }
    }
  }

  private boolean complete(Frame whole, Reply reply) throws IOException {
    if (whole.requestId() == 0 && reply.message() instanceof LaneMessage.Going) {
      going = true;
      return false;
    }
    lock.lock();
    try {
      Pending one = pending.get(whole.requestId());
      boolean error = reply.message() instanceof Failure;
      if (one == null || (whole.type() != one.replyType && !error)) {
        throw new IOException(
            "node at %s: %s"
                .formatted(
                    address,
                    reply.message() instanceof Failure told
                        ? told.message()
                        : "answer of type %d to request %d, which nobody made"
                            .formatted(whole.type(), whole.requestId())));
      }
      if (failure != null) {
        return false; // Its caller has been told already.
      }
      pending.remove(whole.requestId());
      one.reply = reply;
      one.changed.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Ends the connection; every waiting call throws. */
  @Override
  public void close() {
    fail(new IOException("the connection to %s was closed".formatted(address)));
  }

  /**
   * Ends the connection because of what the node sent.
   *
   * @return the exception, for the caller to throw
   */
  public IOException breakOff(String why) {
    return fail(new IOException("node at %s: %s".formatted(address, why)));
  }

  private IOException fail(IOException e) {
    lock.lock();
    try {
      if (failure != null) {
        return new IOException(failure.getMessage(), failure); // What comes after says less.
      }
      failure = e;
      open = false;
      pending.values().forEach(one -> one.changed.signal());
      pending.clear();
      if (!someoneReads) {
        giveBodyBack();
      }
    } finally {
      lock.unlock();
    }
    closeQuietly(channel);
    closeQuietly(readable);
    closeQuietly(writable);
    return e;
  }

  /** Of an answer that will never be whole; nobody may be reading into it. */
  private void giveBodyBack() {
    LaneMemory.Block block = body;
    body = null;
    if (block != null) {
      block.close();
    }
  }

  private static void closeQuietly(AutoCloseable one) {
    try {
      one.close();
    } catch (Exception e) {
      // Nothing is lost with it: the connection is over, and its reason is known already.
      return;
    }
  }

  private IOException late(String what) {
    return new IOException("the node at %s %s in time".formatted(address, what));
  }

  static long millisUntil(long deadlineNanos) {
    return Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime()) + 1);
  }

  /** Waits that an interrupt does not end; it is there again afterwards. */
  private static final class Interrupts {
    private boolean seen;

    /** Clears the flag: a selector does not sleep while it is set. */
    void note() {
      seen |= Thread.interrupted();
    }

    boolean acquire(Semaphore permits, Patience patience) {
      return within(patience, permits::tryAcquire, permits::tryAcquire);
    }

    boolean lock(ReentrantLock one, Patience patience) {
      return within(patience, one::tryLock, one::tryLock);
    }

    private interface Timed {
      boolean tryWithin(long time, TimeUnit unit) throws InterruptedException;
    }

    private boolean within(Patience patience, BooleanSupplier now, Timed timed) {
      boolean done = now.getAsBoolean();
      while (!done && !patience.isOver()) {
        try {
          done = timed.tryWithin(patience.leftNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
          seen = true;
        }
      }
      return done;
    }

    /** Waits until the condition holds or the time is over; under the condition's lock. */
    void await(Condition changed, BooleanSupplier holds, Patience patience) {
      while (!holds.getAsBoolean() && !patience.isOver()) {
        try {
          long unused = changed.awaitNanos(patience.leftNanos());
        } catch (InterruptedException e) {
          seen = true;
        }
      }
    }

    void restore() {
      if (seen) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
