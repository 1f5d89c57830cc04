package io.trainingday.client;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Drop;
import io.trainingday.lane.LaneMessage.Mapped;
import io.trainingday.lane.LaneMessage.SegmentReply;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared memory of one connection, cut into slots for one batch each. It is asked for when a
 * batch's size is known, and again, larger, when a batch does not fit; the smaller segment is
 * dropped when its last slot is back. When there is none to be had, or too little, batches come
 * through the socket, and it is asked for again some seconds later.
 *
 * <p>Mapped memory is never unmapped by hand, for a view that was used too long would then end the
 * JVM; the garbage collector does so. The node does not wait for that: it frees the pages of a
 * segment that was dropped, under the mapping. A pool ends with its connection; slots given back
 * later are of no use to anybody, which is what keeps a node's late copy out of the next batch. A
 * lock on a segment's file, held until its last slot is back, keeps its pages from being freed
 * under a batch that somebody looks at after the connection has ended.
 */
final class SlotPool {
  private static final Logger LOG = LoggerFactory.getLogger(SlotPool.class);
  private static final long RETRY_NANOS = 5_000_000_000L;
  private static final int PAGE_BYTES = 4 << 10;

  /**
   * Keeps locks while slots are out, even of a batch of which nothing but a view can be reached.
   */
  private static final Set<Segment> HELD = ConcurrentHashMap.newKeySet();

  private final Session session;
  private final IntSupplier wantedSlots;
  private final Executor background;

  // Guarded by this.
  private @Nullable Segment current;
  private boolean growing;
  private boolean ended;
  private boolean refusedBefore;
  private long retryAtNanos;
  private boolean retryLater;

  /** There were fewer slots to be had than wanted. */
  private boolean few;

  /** One mapped segment. */
  private static final class Segment {
    final int id;
    final FileChannel file;
    final long slotBytes;
    final int slots;
    final ArrayDeque<Slot> free = new ArrayDeque<>();
    boolean retired;

    Segment(int id, FileChannel file, long slotBytes, int slots) {
      this.id = id;
      this.file = file;
      this.slotBytes = slotBytes;
      this.slots = slots;
    }

    boolean isUnused() {
      return free.size() == slots;
    }

    /** Nobody looks at it any more; the lock goes with the file. */
    void letGo() {
      close(file);
      HELD.remove(this);
    }
  }

  /** Memory for one batch, the caller's until it is released. */
  final class Slot implements BatchMemory {
    private final Segment segment;
    private final int number;
    private final ByteBuffer buffer;

    private Slot(Segment segment, int number, ByteBuffer buffer) {
      this.segment = segment;
      this.number = number;
      this.buffer = buffer;
    }

    int segment() {
      return segment.id;
    }

    int number() {
      return number;
    }

    @Override
    public ByteBuffer buffer() {
      return buffer;
    }

    @Override
    public void release() {
      giveBack(this);
    }
  }

  SlotPool(Session session, IntSupplier wantedSlots, Executor background) {
    this.session = session;
    this.wantedSlots = wantedSlots;
    this.background = background;
  }

  /**
   * A slot of at least that many bytes, or null when the batch is to come through the socket.
   *
   * @throws IOException if the connection is gone
   */
  @Nullable Slot take(long bytes) throws IOException {
    Segment old;
    boolean forMore = false;
    synchronized (this) {
      old = current;
      boolean early = System.nanoTime() - retryAtNanos < 0;
      if (old != null && old.slotBytes >= bytes) {
        Slot slot = old.free.pollLast();
        if (slot != null || old.slots >= wantedSlots.getAsInt() || (few && early)) {
          return slot;
        }
        forMore = true;
      }
      if (growing || (retryLater && early)) {
        return null;
      }
      growing = true;
    }
    Segment fresh = null;
    try {
      fresh = grow(bytes, old);
    } finally {
      synchronized (this) {
        growing = false;
        retryLater = fresh == null && !forMore;
        few = fresh == null ? forMore : fresh.slots < wantedSlots.getAsInt();
        retryAtNanos = System.nanoTime() + RETRY_NANOS;
      }
    }
    synchronized (this) {
      if (fresh == null) {
        return null;
      }
      if (ended) {
        fresh.letGo();
        return null;
      }
      refusedBefore = false;
      current = fresh;
      if (old != null && !old.retired) {
        retire(old);
      }
      return fresh.free.pollLast();
    }
  }

  private @Nullable Segment grow(long bytes, @Nullable Segment old) throws IOException {
    long slotBytes = Math.max(bytes, old == null ? 0 : old.slotBytes);
    slotBytes = (Math.max(slotBytes, 1) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    long limit = session.limits().maxSegmentBytes();
    if (slotBytes > Math.min(limit, Integer.MAX_VALUE)) {
      refused(
          "a batch of %d bytes passes the node's limit of %d bytes a connection"
              .formatted(bytes, limit));
      return null;
    }
    long slots =
        Math.min(Math.min(limit / slotBytes, LaneMessage.MAX_SLOTS), wantedSlots.getAsInt());
    int least = 1;
    if (old != null) {
      long oldBytes = old.slotBytes * old.slots;
      if (oldBytes + slotBytes * slots > limit) {
        if (retireIfUnused(old)) {
          old.letGo();
          session.call(new Drop(old.id));
        } else {
          slots = (limit - oldBytes) / slotBytes; // Until the slots in use are back.
        }
      }
      if (old.slotBytes >= slotBytes) {
        least = old.slots + 1; // Fewer would be worse than what there is.
      }
    }
    // Half of the slots serve better than none where shared memory is small.
    for (int count = (int) slots; count >= least; count /= 2) {
      try {
        SegmentReply reply =
            (SegmentReply) session.call(new LaneMessage.Segment(slotBytes, count)).message();
        return map(reply, slotBytes, count);
      } catch (LaneException e) {
        if (e.code() != LaneException.Code.NO_SEGMENT && e.code() != LaneException.Code.TOO_MANY) {
          refused(String.valueOf(e.getMessage()));
          return null;
        }
        if (count == 1) {
          refused(String.valueOf(e.getMessage()));
        }
      }
    }
    return null;
  }

  private @Nullable Segment map(SegmentReply reply, long slotBytes, int slots) throws IOException {
    Path path = session.address().resolve(reply.path());
    boolean interrupted = Thread.interrupted(); // A file channel closes for an interrupted thread.
    FileChannel file = null;
    Segment mapped = null;
    try {
      file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
      if (file.size() != slotBytes * slots) {
        throw new IOException(
            "it has %d bytes, expected %d".formatted(file.size(), slotBytes * slots));
      }
      lock(file);
      Segment segment = new Segment(reply.segment(), file, slotBytes, slots);
      for (int k = slots - 1; k >= 0; k--) {
        // One by one: a mapping ends at 2 GiB, a segment need not.
        ByteBuffer buffer = file.map(MapMode.READ_WRITE, k * slotBytes, slotBytes);
        segment.free.addLast(new Slot(segment, k, buffer.order(ByteOrder.LITTLE_ENDIAN)));
      }
      session.call(new Mapped(segment.id));
      HELD.add(segment);
      mapped = segment;
      return segment;
    } catch (IOException e) {
      if (!session.isOpen()) {
        throw e;
      }
      refused("%s cannot be mapped: %s".formatted(path, e));
      session.call(new Drop(reply.segment()));
      return null;
    } finally {
      if (mapped == null && file != null) {
        close(file);
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static void lock(FileChannel file) throws IOException {
    try {
      // Given back with the channel, or by the kernel when this process ends.
      if (file.tryLock(0, LaneMessage.SEGMENT_LOCK_BYTES, true) == null) {
        throw new IOException("the node has taken it back");
      }
    } catch (OverlappingFileLockException e) {
      throw new IOException("the node, in this very process, has taken it back", e);
    }
  }

  /** The connection has ended: what nobody uses is let go now, the rest when it comes back. */
  synchronized void close() {
    ended = true;
    Segment last = current;
    current = null;
    if (last != null && !last.retired) {
      retire(last);
    }
  }

  private synchronized boolean retireIfUnused(Segment old) {
    if (!old.isUnused()) {
      return false;
    }
    old.retired = true;
    if (current == old) {
      current = null;
    }
    return true;
  }

  private synchronized void giveBack(Slot slot) {
    Segment segment = slot.segment;
    segment.free.addLast(slot);
    if (segment.retired && segment.isUnused()) {
      drop(segment);
    }
  }

  private void retire(Segment old) {
    old.retired = true;
    if (old.isUnused()) {
      drop(old);
    }
  }

  private void drop(Segment segment) {
    segment.letGo();
    if (session.isOpen()) {
      background.execute(() -> session.tell(new Drop(segment.id)));
    }
  }

  private static void close(FileChannel file) {
    try {
      file.close();
    } catch (IOException e) {
      LOG.warn("shared memory of the node cannot be given back before this process ends", e);
    }
  }

  private void refused(String why) {
    boolean first;
    synchronized (this) {
      first = !refusedBefore;
      refusedBefore = true;
    }
    if (first) {
      LOG.warn("no shared memory, batches come through the socket, which is slower: {}", why);
    }
  }
}
