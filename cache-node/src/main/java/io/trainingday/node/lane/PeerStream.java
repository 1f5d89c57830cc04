package io.trainingday.node.lane;

import io.netty.channel.ChannelHandlerContext;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.fill.MissAnswer;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.traces.Fate;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordFormat;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The answer to one PEER_READ: a stream of frames, made one at a time and only when the socket has
 * room. So a peer that reads slowly costs no memory, and its other requests get their turn in
 * between. On the connection's thread.
 *
 * <p>Samples are answered in order, straight from the store into the frame. What others load is put
 * off until everything else is written, and waited for if the peer can wait; what has to be
 * repaired first comes when it is.
 */
final class PeerStream implements LeaseWait.Reader {
  private static final Logger LOG = LoggerFactory.getLogger(PeerStream.class);

  /** Small enough to be sent out of a core's cache, large enough that frames cost nothing. */
  private static final int FRAME_BYTES = 512 << 10;

  /** Most heads are far smaller, and copying more of each record would be in vain. */
  private static final int USUAL_HEAD_BYTES = 4 << 10;

  /** Records that were waited for are kept until the socket has room, up to so many bytes. */
  private static final int MAX_KEPT_BYTES = 8 << 20;

  // What an attempt to write a record has come to, unless it is the bytes of room it needs.
  private static final int WRITTEN = 0;
  private static final int ABSENT = -1;
  private static final int DAMAGED = -2;
  private static final int STALE = -3;

  /** As of a batch: so often one record is removed before its sample is a miss for good. */
  private static final int MOST_REMOVALS = 4;

  /** An answer that is not written yet; of a HIT without record, the record is in the store. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Known(int position, PeerStatus status, long lease, byte @Nullable [] record) {}

  private final LaneServer server;
  private final ChannelHandlerContext context;
  private final long requestId;
  private final PeerRead request;
  private final boolean wantsOldestFormat;
  private final long holder;
  private final Runnable whenReady;
  private final RecordStore store;
  private final OwnershipTable table;
  private final Sinks.Whole whole = new Sinks.Whole();
  private final Sinks.Head head = new Sinks.Head();
  private final Freshness freshness;

  /** Read for this frame, where the data set's policy wants to know. */
  private final @Nullable List<SampleKey> readKeys;

  private final Deque<Known> known = new ArrayDeque<>();
  private final Set<Integer> leasedToOthers = new LinkedHashSet<>();
  private final Set<Integer> repairs = new HashSet<>();
  private final Map<Integer, Integer> removals = new HashMap<>();
  private @Nullable LeaseWait wait;
  private int next;
  private int keptBytes;
  private boolean waited;
  private boolean granted;
  private boolean over;

  /**
   * @param wantsOldestFormat whether records are turned into the oldest format
   * @param holder of this node's fills, whom leases are given to; of no use without LEASE
   * @param whenReady told when there may be more to write
   */
  PeerStream(
      LaneServer server,
      ChannelHandlerContext context,
      long requestId,
      PeerRead request,
      boolean wantsOldestFormat,
      long holder,
      Runnable whenReady) {
    this.server = server;
    this.context = context;
    this.requestId = requestId;
    this.request = request;
    this.wantsOldestFormat = wantsOldestFormat;
    this.holder = holder;
    this.whenReady = whenReady;
    store = server.store(request.keys());
    table = server.ownership().table(request.keys().backups());
    freshness = new Freshness(request.oldestMillis(), request.stamps());
    // Heads are asked for ahead of their records.
    readKeys =
        !request.heads() && server.services().reads().wants(request.keys().dataset())
            ? new ArrayList<>()
            : null;
  }

  /** Whether the last frame was written, or none will be. */
  boolean isOver() {
    return over;
  }

  /** Whether {@link #writeFrame} can do something now. */
  boolean isReady() {
    return !over && (next < count() || !known.isEmpty() || !isWaiting());
  }

  private boolean isWaiting() {
    return wait != null || !repairs.isEmpty();
  }

  private boolean isComplete() {
    return next == count() && known.isEmpty() && leasedToOthers.isEmpty() && !isWaiting();
  }

  private int count() {
    return request.indices().length;
  }

  /** Writes what is known, as far as one frame goes. */
  void writeFrame() {
    BatchFrame frame = new BatchFrame(FRAME_BYTES);
    try {
      frame = fill(frame);
    } catch (RuntimeException | Error e) {
      frame.release();
      throw e;
    }
    over = isComplete();
    if (frame.isEmpty() && !over) {
      frame.release();
    } else {
      server.countServedToPeer(frame.hits());
      if (readKeys != null && !readKeys.isEmpty()) {
        server
            .services()
            .reads()
            .read(request.keys().dataset(), readKeys.toArray(new SampleKey[0]));
        readKeys.clear();
      }
      var unused = context.writeAndFlush(frame.finish(requestId, over), context.voidPromise());
    }
  }

  /** Ends the answer without its last frame. Leases it has given are the peer's to give back. */
  void end() {
    over = true;
    known.forEach(this::giveBack);
    known.clear();
    repairs.clear();
    LeaseWait waiting = wait;
    if (waiting != null) {
      waiting.end();
    }
  }

  private BatchFrame fill(BatchFrame empty) {
    BatchFrame frame = empty;
    while (true) {
      int result;
      if (!known.isEmpty()) {
        result = write(frame, known.element());
      } else if (next < count()) {
        result = answerNext(frame);
      } else if (askForRest()) {
        continue;
      } else {
        return frame;
      }
      if (result > 0) {
        if (!frame.isEmpty()) {
          return frame;
        }
        BatchFrame larger = new BatchFrame(result);
        frame.release();
        frame = larger;
      }
    }
  }

  /** Answers the next sample from the store, or asks the fills about it. */
  private int answerNext(BatchFrame frame) {
    int result = copy(frame, next, null);
    if (result > 0) {
      return result;
    }
    int i = next++;
    if (result == ABSENT) {
      askFills(i);
    } else if (result == DAMAGED || result == STALE) {
      removeBad(i, result);
    }
    return WRITTEN;
  }

  private int write(BatchFrame frame, Known answer) {
    int i = answer.position;
    if (answer.status == PeerStatus.HIT) {
      int result = copy(frame, i, answer.record);
      if (result == ABSENT) {
        result = copyFound(frame, i);
      }
      if (result > 0) {
        return result;
      }
      remove(answer);
      if (result == STALE) {
        removeBad(i, result);
      } else if (result != WRITTEN) {
        know(i, PeerStatus.MISS, 0, null);
      }
    } else if (frame.room() < 0) {
      return FRAME_BYTES;
    } else {
      frame.missing(i, answer.status, answer.lease);
      remove(answer);
    }
    return WRITTEN;
  }

  /** Copies a record that was here a moment ago and not yet, or no more, in the store. */
  private int copyFound(BatchFrame frame, int i) {
    MissAnswer found = server.fills().find(store, key(i));
    return switch (found.kind()) {
      case RECORD -> copy(frame, i, found.record());
      case IN_STORE -> copy(frame, i, null);
      default -> ABSENT;
    };
  }

  private void remove(Known answer) {
    known.remove();
    keptBytes -= answer.record == null ? 0 : answer.record.length;
  }

  private void know(int i, PeerStatus status, long lease, byte @Nullable [] record) {
    boolean keep = record != null && keptBytes + record.length <= MAX_KEPT_BYTES;
    known.add(new Known(i, status, lease, keep ? record : null));
    keptBytes += record != null && keep ? record.length : 0;
  }

  private void askFills(int i) {
    SampleKey key = key(i);
    // The partition may have gone to another node since the table was made.
    boolean primary = table.primary(table.partition(key.index())).local() && store.isHeldHere(key);
    if (primary && request.lease()) {
      take(i, server.fills().missing(store, key, holder));
      return;
    }
    MissAnswer found = server.fills().find(store, key);
    if (primary || found.kind() != MissAnswer.Kind.REFUSED) {
      take(i, found);
    } else {
      know(i, PeerStatus.NOT_OWNER, 0, null);
    }
  }

  private void take(int i, MissAnswer answer) {
    switch (answer.kind()) {
      case RECORD -> know(i, PeerStatus.HIT, 0, answer.record());
      case IN_STORE -> know(i, PeerStatus.HIT, 0, null);
      case GRANTED -> {
        granted = true;
        server.services().traces().missed(key(i));
        know(i, PeerStatus.LEASED_TO_YOU, answer.lease(), null);
      }
      case HELD_BY_YOU, LEASED_TO_OTHER -> leasedToOthers.add(i);
      case REFUSED -> {
        server.services().traces().missed(key(i));
        know(i, PeerStatus.MISS, 0, null);
      }
    }
  }

  private void giveBack(Known answer) {
    if (answer.status == PeerStatus.LEASED_TO_YOU) {
      server.fills().release(key(answer.position), holder, answer.lease);
    }
  }

  // What is left when every sample was asked about.

  /** Waits for what others load, or tells of it; false when there is nothing to write now. */
  private boolean askForRest() {
    if (isWaiting() || leasedToOthers.isEmpty()) {
      return false;
    }
    if (request.waitMillis() > 0 && !waited && !granted) {
      waited = true;
      LeaseWait waiting =
          new LeaseWait(server.fills(), store, holder, context.channel().eventLoop(), this);
      wait = waiting;
      waiting.start(leasedToOthers.stream().mapToInt(Integer::intValue).toArray(), waitMillis());
      return !known.isEmpty() || wait == null;
    }
    leasedToOthers.forEach(i -> know(i, PeerStatus.LEASED_TO_OTHER, 0, null));
    leasedToOthers.clear();
    return true;
  }

  private long waitMillis() {
    return Math.min(request.waitMillis(), server.limits().answerTimeoutMillis() * 3L / 4);
  }

  @Override
  public SampleKey key(int i) {
    return PeerKeys.key(request.keys(), request.indices()[i], request.sampleVersions()[i]);
  }

  @Override
  public void answered(int i, MissAnswer answer) {
    leasedToOthers.remove(i);
    take(i, answer);
    whenReady.run();
  }

  @Override
  public boolean isDue() {
    return over || granted;
  }

  @Override
  public void waitEnded() {
    wait = null;
    whenReady.run();
  }

  private void removeBad(int i, int why) {
    if (why == DAMAGED) {
      server.countDamagedForPeer();
    } else {
      server.countStaleForPeer();
    }
    server.services().traces().note(key(i), why == DAMAGED ? Fate.DAMAGED : freshness.fate(i));
    boolean removed = why == DAMAGED || freshness.isRemoved(i, request.lease());
    if (removed && removals.merge(i, 1, Integer::sum) <= MOST_REMOVALS) {
      repair(i);
    } else {
      know(i, PeerStatus.MISS, 0, null);
    }
  }

  private void repair(int i) {
    SampleKey key = key(i);
    boolean ask = request.lease() && table.primary(table.partition(key.index())).local();
    repairs.add(i);
    try {
      // It may block: the grid removes all copies.
      server
          .blocking()
          .execute(
              () -> {
                MissAnswer answer = removeDamaged(key, ask);
                context.channel().eventLoop().execute(() -> repaired(i, answer));
              });
    } catch (RejectedExecutionException e) {
      LOG.debug("The lane's threads are gone", e);
      repairs.remove(i);
      know(i, PeerStatus.MISS, 0, null);
    }
  }

  private @Nullable MissAnswer removeDamaged(SampleKey key, boolean ask) {
    try {
      if (ask) {
        return server.fills().repair(store, key, holder);
      }
      store.remove(key);
    } catch (RecordStore.WriteException e) {
      LOG.warn("A damaged record stays where it is: {}", e.getMessage());
    }
    return null;
  }

  private void repaired(int i, @Nullable MissAnswer answer) {
    if (repairs.remove(i)) {
      if (answer == null) {
        know(i, PeerStatus.MISS, 0, null);
      } else {
        take(i, answer);
      }
      whenReady.run();
    } else if (answer != null && answer.kind() == MissAnswer.Kind.GRANTED) {
      server.fills().release(key(i), holder, answer.lease());
    }
  }

  // Copying records.

  /** Copies a record, or its head, into the frame: from the store, or from an array. */
  private int copy(BatchFrame frame, int i, byte @Nullable [] record) {
    if (frame.room() < 0) {
      return FRAME_BYTES;
    }
    return request.heads() ? copyHead(frame, i, record) : copyWhole(frame, i, record);
  }

  private int copyWhole(BatchFrame frame, int i, byte @Nullable [] record) {
    int length = pour(i, record, whole.at(frame.address(), frame.room()));
    if (length < 0) {
      return whole.offered() > frame.room() ? whole.offered() : ABSENT;
    }
    RecordChecksum checksum = Copiers.tools().checksum();
    if (request.verify() && !checksum.matches(frame.bytes(), frame.recordAt(), length)) {
      return DAMAGED;
    }
    if (freshness.isStale(frame.bytes(), frame.recordAt(), i)) {
      return STALE;
    }
    // A damaged one that nobody has looked at keeps its checksum, by which it is found out.
    if (wantsOldestFormat
        && (request.verify() || checksum.matches(frame.bytes(), frame.recordAt(), length))) {
      RecordFormat.toOldest(frame.bytes(), frame.recordAt(), length);
    }
    frame.hit(i, length, length);
    if (readKeys != null) {
      readKeys.add(key(i));
    }
    return WRITTEN;
  }

  /** The checksum covers the whole record, so a head is looked at only as far as it must be. */
  private int copyHead(BatchFrame frame, int i, byte @Nullable [] record) {
    int room = Math.min(frame.room(), USUAL_HEAD_BYTES);
    while (true) {
      int length = pour(i, record, head.at(frame.address(), room));
      if (length < 0) {
        return ABSENT;
      }
      ByteBuffer bytes = frame.bytes();
      if (room < RecordLayout.HEADER_BYTES) {
        return FRAME_BYTES;
      }
      if (!RecordLayout.isRecord(bytes, frame.recordAt(), length)) {
        return DAMAGED;
      }
      if (freshness.isStale(bytes, frame.recordAt(), i)) {
        return STALE;
      }
      int headBytes = RecordLayout.bodyStart(bytes, frame.recordAt());
      if (headBytes <= room) {
        if (wantsOldestFormat) {
          RecordFormat.headToOldest(bytes, frame.recordAt());
        }
        frame.hit(i, length, headBytes);
        return WRITTEN;
      }
      if (headBytes > frame.room()) {
        return Math.max(FRAME_BYTES, headBytes);
      }
      room = headBytes;
    }
  }

  private int pour(int i, byte @Nullable [] record, RecordSink sink) {
    if (record == null) {
      return store.read(key(i), sink);
    }
    if (!sink.begin(record.length)) {
      return ABSENT;
    }
    sink.copy(record, 0, record.length);
    return record.length;
  }
}
