package io.trainingday.node.lane;

import io.netty.channel.EventLoop;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.fill.MissAnswer;
import io.trainingday.node.lane.Places.Outcome;
import io.trainingday.node.peer.Peer;
import io.trainingday.node.store.RecordStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.agrona.collections.IntArrayList;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One READ from request to reply: where its samples come from, and when. On its connection's
 * thread; what peers and other threads have to say is handed over to it.
 *
 * <h2>The life of a batch</h2>
 *
 * <ol>
 *   <li><b>Keys.</b> Versions were resolved once, when the {@link BatchRead} was made.
 *   <li><b>Asking.</b> Each sample has a primary by the ownership table. One request for its
 *       samples goes to each other node that is a primary; while they are under way, what this node
 *       holds (as primary or as backup) is copied, and its own fills are asked about what it lacks.
 *       Nobody is waited for before everybody has been asked. What a backup here lacks, its primary
 *       is asked for; what is on its way from here to its owner is taken from there.
 *   <li><b>Asking again.</b> A node that says it is no owner, or fails, makes its samples be looked
 *       up again: in a newer table, or at another copy. Without one they are misses without a
 *       lease.
 *   <li><b>Waiting.</b> When nothing fell to the trainer, but others are loading, and the trainer
 *       can wait: every owner concerned is asked once more, this time to hold its answer. The first
 *       lease that falls to the trainer ends the wait: what has come so far goes into the reply.
 *   <li><b>Fetching.</b> Where a record goes may depend on others: of a ragged batch, of whole
 *       records, and of a collated one whose layout is not known. Then other nodes were asked for
 *       heads alone, and now, when everything has its place, for the records; where one of them
 *       fails, the next copy is.
 *   <li><b>The reply.</b>
 * </ol>
 *
 * Step 2 does everything there is to do in a grid of one node, or when all samples are here.
 *
 * <h2>Deadlines</h2>
 *
 * A trainer takes a node for gone when its answer is missing, so an owner must not be able to hold
 * it up. {@code lane.answerTimeout} has three parts: waits for others' leases end after three
 * quarters; after seven eighths all calls to other nodes are cancelled, and what has not come is a
 * miss without a lease; the rest is for the reply.
 *
 * <h2>The target</h2>
 *
 * The slot or buffer belongs to this flow until {@code whenReady} is called or {@link #abort}
 * returns. Both happen only when no call to another node is open: each has ended or was cancelled,
 * and a cancelled call writes nothing more ({@link io.trainingday.node.peer.PeerCall}). So whoever
 * has the slot next, or unmaps it, has it alone. A lease that comes for a cancelled call is given
 * back by the peer lane.
 */
final class BatchFlow implements LeaseWait.Reader {
  private static final Logger LOG = LoggerFactory.getLogger(BatchFlow.class);

  /** Enough for: no owner any more, another layout, a copy that died, and its heads. */
  private static final int MAX_ROUNDS = 6;

  /** What all is done for at the moment. */
  private enum Stage {
    ASKING,
    WAITING,
    FETCHING,
    OVER
  }

  private final LaneServer server;
  private final BatchRead batch;
  private final BatchOwners owners;
  private final LeaseRelay leases;
  private final EventLoop thread;
  private final Consumer<BatchFlow> whenReady;
  private final RecordStore store;
  private final long startNanos = System.nanoTime();

  // What is under way.
  private final OwnerCalls calls;
  private final Set<Integer> repairs = new HashSet<>();
  private @Nullable LeaseWait wait;
  private @Nullable Future<?> deadline;

  // What is left to do.
  private final IntArrayList again = new IntArrayList();
  private final Map<Integer, Peer> announced = new LinkedHashMap<>();

  /** Announced by a node that went before the record was here: another copy is asked. */
  private final IntArrayList orphans = new IntArrayList();

  private Stage stage = Stage.ASKING;
  private int rounds;
  private boolean headsFirst;
  private boolean waited;
  private boolean vanished;
  private boolean late;
  private boolean stepping;
  private long waitStartNanos;
  private long waitedNanos;
  private @Nullable RuntimeException failure;

  /**
   * @param whenReady called once, when the reply is due, unless the flow is aborted before
   */
  BatchFlow(
      LaneServer server,
      BatchRead batch,
      LeaseRelay leases,
      EventLoop thread,
      Consumer<BatchFlow> whenReady) {
    this.server = server;
    this.batch = batch;
    this.leases = leases;
    this.thread = thread;
    this.whenReady = whenReady;
    store = batch.dataset.store();
    owners = new BatchOwners(server, batch);
    calls =
        new OwnerCalls(
            batch, leases, server.latencies(), call -> handOver(() -> step(() -> ended(call))));
  }

  BatchRead batch() {
    return batch;
  }

  /** Why the batch cannot be put together, or null. */
  @Nullable RuntimeException failure() {
    return failure;
  }

  /** Whether sample {@code i} came from another host, or would have come from there. */
  boolean isElsewhere(int i) {
    return owners.isElsewhere(i);
  }

  /** The keys of what was read from this node's own store, or about to get there. */
  SampleKey[] readHere() {
    SampleKey[] keys = new SampleKey[batch.count()];
    int found = 0;
    for (int i = 0; i < keys.length; i++) {
      if (batch.status(i) == Status.HIT && !owners.cameFromPeer(i)) {
        keys[found++] = batch.key(i);
      }
    }
    return found == keys.length ? keys : Arrays.copyOf(keys, found);
  }

  /** Time from the request to now, but for that spent waiting for others to load. */
  long busyNanos() {
    return System.nanoTime() - startNanos - waitedNanos;
  }

  /** Begins; {@code whenReady} may be called before this returns. */
  void start() {
    // A node without its serving lease asks nobody: everything is missing, without leases.
    step(() -> ask(IntStream.range(0, batch.isServable() ? batch.count() : 0).toArray()));
  }

  /** Answers now with what there is, because the node stops. */
  void hurry() {
    step(this::giveUp);
  }

  /** Ends everything without a reply: when this returns nobody writes to the target any more. */
  void abort() {
    stop();
    releaseLeases();
  }

  /** Gives back the leases of this batch, because no reply will tell of them. */
  void releaseLeases() {
    List<LeaseRelay.Lease> granted = new ArrayList<>();
    for (int i = 0; i < batch.count(); i++) {
      if (batch.status(i) == Status.LEASED_TO_YOU) {
        granted.add(new LeaseRelay.Lease(batch.key(i), batch.lease(i)));
        batch.missing(i);
      }
    }
    leases.release(granted, store);
  }

  // Step by step: something happens, then all is begun that can be.

  private void step(Runnable happening) {
    if (stage == Stage.OVER) {
      return;
    }
    boolean nested = stepping;
    stepping = true;
    try {
      happening.run();
      if (!nested) {
        proceed();
      }
    } catch (RuntimeException e) {
      failure = e;
      finish();
    } finally {
      stepping = nested;
    }
  }

  private void proceed() {
    while (stage != Stage.OVER && calls.isEmpty() && repairs.isEmpty() && wait == null) {
      if (!beginNext()) {
        finish();
      }
    }
    if (stage != Stage.OVER && deadline == null) {
      long answerNanos = TimeUnit.MILLISECONDS.toNanos(server.limits().answerTimeoutMillis());
      deadline =
          thread.schedule(
              () -> step(this::giveUp),
              answerNanos * 7 / 8 - (System.nanoTime() - startNanos),
              TimeUnit.NANOSECONDS);
    }
  }

  /** Nothing is under way: begins what comes next, or says that nothing does. */
  private boolean beginNext() {
    if (stage == Stage.WAITING) {
      waitedNanos = System.nanoTime() - waitStartNanos;
      stage = Stage.ASKING;
    }
    if (batch.tooSmall() || failure != null) {
      return false;
    }
    batch.loosen();
    int[] damaged = batch.takeDamaged();
    if (damaged.length > 0) {
      repair(damaged);
      return true;
    }
    batch.moveLaterTo(again);
    if (!again.isEmpty()) {
      int[] positions = again.toIntArray();
      again.clear();
      if (!late && ++rounds <= MAX_ROUNDS) {
        owners.refresh();
        ask(positions);
      }
      return true;
    }
    if (stage != Stage.FETCHING && mayWait()) {
      awaitOthers();
      return true;
    }
    return fetch();
  }

  private void finish() {
    stop();
    whenReady.accept(this);
  }

  /** Nothing begins any more, and nothing that was begun has a consequence. */
  private void stop() {
    stage = Stage.OVER;
    repairs.clear();
    if (deadline != null) {
      deadline.cancel(false);
    }
    endWait();
    for (OwnerRead call : calls.cancelAll()) {
      call.places().close();
      giveBack(call);
    }
  }

  /** The time is over: what has not come by now is a miss. */
  private void giveUp() {
    late = true;
    repairs.clear();
    endWait();
    calls.cancelAll().forEach(this::take);
  }

  private void endWait() {
    LeaseWait waiting = wait;
    wait = null;
    if (waiting != null) {
      waiting.end();
    }
  }

  private void handOver(Runnable task) {
    try {
      thread.execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("The lane's threads are gone", e);
    }
  }

  // Asking.

  private void ask(int[] positions) {
    if (owners.isAlone()) {
      readHere(positions);
      return;
    }
    IntArrayList here = new IntArrayList();
    Map<Peer, IntArrayList> there = new LinkedHashMap<>();
    for (int i : positions) {
      if (owners.isReadHere(i)) {
        here.addInt(i);
      } else if (!takeForwarded(i)) {
        Peer peer = owners.toAsk(i);
        if (peer != null) {
          add(there, peer, i);
        }
      }
    }
    call(there, 0);
    readHere(here.toIntArray());
  }

  private static void add(Map<Peer, IntArrayList> there, Peer peer, int i) {
    there.computeIfAbsent(peer, unused -> new IntArrayList()).addInt(i);
  }

  private void call(Map<Peer, IntArrayList> there, long waitMillis) {
    if (there.isEmpty()) {
      return;
    }
    boolean straight = !headsFirst && batch.fix();
    begin(there, straight ? batch::straight : HeadPlaces::new, waitMillis);
  }

  private void begin(Map<Peer, IntArrayList> there, Supplier<Places> places, long waitMillis) {
    there.forEach(
        (peer, samples) -> {
          for (IntArrayList alike : batch.byVariant(samples)) {
            calls.begin(peer, alike, places.get(), waitMillis);
          }
        });
  }

  /** A record on its way from this node to its owner serves this node's readers meanwhile. */
  private boolean takeForwarded(int i) {
    byte[] record = server.forwarder().pending(batch.key(i));
    if (record == null) {
      return false;
    }
    owners.cameFromHere(i);
    batch.take(i, record);
    return true;
  }

  private void readHere(int[] positions) {
    batch.readStored(positions);
    for (int i : positions) {
      if (batch.tooSmall()) {
        return;
      }
      if (batch.status(i) == Status.MISS && !batch.isOpen(i)) {
        askHere(i);
      }
    }
  }

  private void askHere(int i) {
    if (!owners.isPrimaryHere(i)) {
      owners.lostCopy(i); // It was here a moment ago.
      again.addInt(i);
    } else if (!store.isHeldHere(batch.key(i)) && owners.isStale()) {
      again.addInt(i); // Its partition has just gone to another node.
    } else if (batch.request.lease()) {
      batch.answered(i, server.fills().missing(store, batch.key(i), leases.holder()));
    } else {
      batch.answered(i, server.fills().find(store, batch.key(i)));
    }
  }

  // What other nodes say.

  private void ended(OwnerRead call) {
    if (!calls.end(call)) {
      return;
    }
    take(call);
    if (stage == Stage.WAITING && isDue()) {
      endWait();
      calls.cancelAll().forEach(this::take);
    }
  }

  private void take(OwnerRead call) {
    try (Places places = call.places()) {
      if (calls.isEmpty()) {
        batch.loosen();
      }
      batch.used(places);
      if (!call.isComplete()) {
        owners.failed(call.peer());
      }
      for (int k = 0; failure == null && k < call.positions().length; k++) {
        take(call, k, call.positions()[k]);
      }
    } catch (RuntimeException e) {
      failure = e;
    }
    if (failure != null) {
      giveBack(call);
    }
  }

  private void take(OwnerRead call, int k, int i) {
    Outcome outcome = call.outcome(k);
    if (outcome == Outcome.LANDED || outcome == Outcome.HEAD) {
      owners.cameFrom(call.peer().member(), i);
    }
    if (stage == Stage.FETCHING) {
      takeFetched(call, k, i, outcome);
    } else {
      takeAnswer(call, k, i, outcome);
    }
  }

  /** Gives back the leases of a call that are not the batch's. */
  private void giveBack(OwnerRead call) {
    List<LeaseRelay.Lease> granted = new ArrayList<>();
    for (int k = 0; k < call.positions().length; k++) {
      int i = call.positions()[k];
      if (call.outcome(k) == Outcome.LEASED_TO_YOU && batch.status(i) != Status.LEASED_TO_YOU) {
        granted.add(new LeaseRelay.Lease(batch.key(i), call.lease(k)));
      }
    }
    leases.release(granted, store);
  }

  private void takeAnswer(OwnerRead call, int k, int i, Outcome outcome) {
    switch (outcome) {
      case LANDED -> batch.hit(i, call.recordBytes(k));
      case HEAD -> {
        batch.settle(i, batch.announce(i, ((HeadPlaces) call.places()).head(i)));
        announced.put(i, call.peer());
      }
      case UNFIT -> {
        headsFirst = true;
        again.addInt(i);
      }
      case NOT_OWNER -> {
        batch.missing(i);
        if (owners.isStale()) {
          again.addInt(i);
        }
      }
      case UNANSWERED -> {
        // One that is leased to another, by what was known before, stays so.
        if (stage == Stage.ASKING) {
          again.addInt(i);
        }
      }
      case DAMAGED -> damagedOnItsWay(i);
      case MISS -> batch.missing(i);
      case LEASED_TO_YOU -> batch.granted(i, call.lease(k));
      case LEASED_TO_OTHER -> batch.leasedToOther(i);
    }
  }

  /** The owner has a sound record: there is nothing to repair. */
  private void damagedOnItsWay(int i) {
    batch.dataset.counters().damaged.increment();
    batch.missing(i);
  }

  // Repairs: a damaged record is removed, then its sample is a miss like any other.

  private void repair(int[] positions) {
    for (int i : positions) {
      SampleKey key = batch.key(i);
      boolean ask = batch.request.lease() && owners.isPrimaryHere(i);
      repairs.add(i);
      try {
        // It may block: the grid removes all copies.
        server
            .blocking()
            .execute(
                () -> {
                  MissAnswer answer = removeDamaged(key, ask);
                  handOver(() -> repaired(i, answer));
                });
      } catch (RejectedExecutionException e) {
        LOG.debug("The lane's threads are gone", e);
        repairs.remove(i);
      }
    }
  }

  private @Nullable MissAnswer removeDamaged(SampleKey key, boolean ask) {
    try {
      if (ask) {
        return server.fills().repair(store, key, leases.holder());
      }
      store.remove(key);
    } catch (RecordStore.WriteException e) {
      LOG.warn("A damaged record stays where it is: {}", e.getMessage());
    }
    return null;
  }

  private void repaired(int i, @Nullable MissAnswer answer) {
    if (repairs.remove(i)) {
      step(
          () -> {
            if (answer != null) {
              batch.answered(i, answer);
            } else if (!owners.isPrimaryHere(i)) {
              owners.lostCopy(i);
              again.addInt(i);
            }
          });
    } else if (answer != null && answer.kind() == MissAnswer.Kind.GRANTED) {
      server.fills().release(batch.key(i), leases.holder(), answer.lease());
    }
  }

  // Waiting.

  private boolean mayWait() {
    return !waited
        && !late
        && !batch.hasLease()
        && batch.count(Status.LEASED_TO_OTHER) > 0
        && waitMillis() > 0;
  }

  private long waitMillis() {
    long longest = server.limits().answerTimeoutMillis() * 3L / 4;
    long passed = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNanos);
    return Math.min(batch.request.waitMillis(), longest) - passed;
  }

  private void awaitOthers() {
    stage = Stage.WAITING;
    waited = true;
    waitStartNanos = System.nanoTime();
    long waitMillis = waitMillis();
    IntArrayList here = new IntArrayList();
    Map<Peer, IntArrayList> there = new LinkedHashMap<>();
    for (int i = 0; i < batch.count(); i++) {
      if (batch.status(i) == Status.LEASED_TO_OTHER) {
        Peer peer = owners.isPrimaryHere(i) ? null : owners.toAsk(i);
        if (peer != null) {
          add(there, peer, i);
        } else if (owners.isPrimaryHere(i)) {
          here.addInt(i);
        }
      }
    }
    call(there, waitMillis);
    if (!here.isEmpty()) {
      LeaseWait waiting = new LeaseWait(server.fills(), store, leases.holder(), thread, this);
      wait = waiting;
      waiting.start(here.toIntArray(), waitMillis);
    }
  }

  @Override
  public SampleKey key(int i) {
    return batch.key(i);
  }

  @Override
  public void answered(int i, MissAnswer answer) {
    step(() -> batch.answered(i, answer));
  }

  @Override
  public boolean isDue() {
    return stage == Stage.OVER || batch.tooSmall() || batch.hasLease();
  }

  @Override
  public void waitEnded() {
    wait = null;
    step(
        () -> {
          if (isDue()) {
            calls.cancelAll().forEach(this::take);
          }
        });
  }

  // Fetching.

  /** Brings the records whose heads are known; false when there is nothing to be done. */
  private boolean fetch() {
    if (stage == Stage.FETCHING && !vanished) {
      int[] left = orphans.toIntArray();
      orphans.clear();
      fetch(left);
      return !calls.isEmpty();
    }
    stage = Stage.FETCHING;
    orphans.clear();
    if (late) {
      announced.keySet().forEach(batch::missing);
      announced.clear();
    }
    if (!batch.arrange()) {
      return false;
    }
    fetch(announced.keySet().stream().mapToInt(Integer::intValue).toArray());
    vanished = !batch.layDown();
    return vanished || !calls.isEmpty();
  }

  private void fetch(int[] positions) {
    Map<Peer, IntArrayList> there = new LinkedHashMap<>();
    for (int i : positions) {
      add(there, Objects.requireNonNull(announced.get(i)), i);
    }
    begin(there, batch::places, 0);
  }

  private void takeFetched(OwnerRead call, int k, int i, Outcome outcome) {
    if (outcome == Outcome.LANDED) {
      return;
    }
    Peer other = outcome == Outcome.UNANSWERED && !late ? owners.toAsk(i) : null;
    if (other != null) {
      announced.put(i, other);
      orphans.addInt(i);
      return;
    }
    announced.remove(i);
    vanished |= batch.isDense();
    batch.missing(i);
    switch (outcome) {
      case DAMAGED, UNFIT -> damagedOnItsWay(i);
      case LEASED_TO_YOU -> batch.granted(i, call.lease(k));
      case LEASED_TO_OTHER -> batch.leasedToOther(i);
      default -> {}
    }
  }
}
