package io.trainingday.client;

import io.trainingday.client.CachedSamples.Opened;
import io.trainingday.client.SampleBatch.Status;
import io.trainingday.lane.LaneConnection.Reply;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One read-through read. Order matters:
 *
 * <ol>
 *   <li>one READ for the whole batch; hits stay where the node put them;
 *   <li>what is leased to us is loaded, filled and placed. Nobody else's load is waited for before
 *       that, so that two trainers never wait for each other;
 *   <li>what is leased to others is asked for again, the node holding its answer, until it is there
 *       or falls to us.
 * </ol>
 *
 * A node that goes away at any point leaves what is not there yet to the origin.
 */
final class BatchRead {
  static final String NOT_COLLATABLE_ADVICE =
      "use ReadShape.RAGGED or RECORDS, or resize samples to one shape";

  private static final RecordCodec CODEC = RecordCodec.create();
  private static final int SLOT_ATTEMPTS = 3;

  /** A node that says "still leased" without having waited is not asked faster than this. */
  private static final long SHORTEST_ROUND_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** By then whoever has memory is not going to give it back: better too much than to hang. */
  private static final long LONGEST_MEMORY_WAIT_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final CachedSamples samples;
  private final long[] indices;
  private final ReadShape shape;
  private final @Nullable SampleLoader loader;
  private final BooleanSupplier cancelled;

  /** When its samples are loaded among those of other batches. */
  private final long turn;

  private final LaneMemory pool;
  private final Counters counters;
  private final Assembly assembly;
  private final Status[] statuses;

  /** What the sources look like, in the order of the indices; empty when nobody says. */
  private final long[] stamps;

  private final Map<Long, Want> wants = new LinkedHashMap<>();
  private long generation = -1;

  /** Null once the node is gone, and from the start where there is none. */
  private volatile @Nullable Opened node;

  BatchRead(
      CachedSamples samples,
      long[] indices,
      ReadShape shape,
      @Nullable SampleLoader loader,
      BooleanSupplier cancelled,
      long turn) {
    this.samples = samples;
    this.indices = indices;
    this.shape = shape;
    this.loader = loader;
    this.cancelled = cancelled;
    this.turn = turn;
    this.pool = samples.memory();
    this.counters = samples.counters();
    this.assembly = Assembly.of(shape, indices, pool, samples.sizes());
    this.statuses = new Status[indices.length];
    this.stamps = stamps(samples.spec(), indices);
  }

  private static long[] stamps(DatasetSpec spec, long[] indices) {
    LongUnaryOperator stampOfIndex = spec.stamps();
    if (stampOfIndex == null) {
      return new long[0];
    }
    long[] stamps = new long[indices.length];
    for (int i = 0; i < indices.length; i++) {
      try {
        stamps[i] = stampOfIndex.applyAsLong(indices[i]);
      } catch (RuntimeException e) {
        throw new SampleLoadException(spec.name(), indices[i], e);
      }
    }
    return stamps;
  }

  /** What the source of a sample looked like when the batch was begun. */
  private long stamp(Want want) {
    return stamps[want.positions()[0]];
  }

  /** Reads; throws what {@link CachedSamples#read(long[], ReadShape, SampleLoader)} throws. */
  SampleBatch run() {
    boolean done = false;
    Opened opened = samples.enter();
    try {
      checkCancelled();
      node = opened;
      if (opened != null) {
        readWhole(opened);
        if (!wants.isEmpty() && node != null) {
          readInPieces(opened);
        }
      }
      wantTheRest();
      if (loader == null) {
        wants.values().forEach(want -> settle(want, Status.MISSING));
      } else {
        loadAll();
      }
      count();
      SampleBatch batch = assembly.finish(statuses, generation, samples.poisons());
      done = true;
      return batch;
    } finally {
      if (!done) {
        assembly.release();
        abandonLeases(wants.values());
      }
      if (opened != null) {
        opened.session().leave();
      }
    }
  }

  // The first READ.

  private void readWhole(Opened opened) {
    try {
      long bytes = samples.sizes().estimate(shape, indices.length);
      for (int attempt = 0; attempt < SLOT_ATTEMPTS; attempt++) {
        SlotPool.Slot slot = attempt < SLOT_ATTEMPTS - 1 ? opened.session().takeSlot(bytes) : null;
        Batch reply = slot == null ? readInline(opened, bytes) : readInto(opened, slot);
        if (!reply.tooSmall()) {
          return;
        }
        // Samples grow: some room to spare saves asking again for the next batch.
        long needed = reply.payloadBytes();
        bytes = shape == ReadShape.COLLATED ? needed : needed + needed / 8;
      }
    } catch (IOException e) {
      node = null; // The session has said so, once; the origin has the samples.
    } catch (LaneException e) {
      refuseOrGoOn(opened, e);
    }
  }

  private Batch readInline(Opened opened, long bytes) throws IOException {
    LaneMemory.Reservation coming =
        reserve(Math.min(bytes, opened.session().limits().maxFrameBytes()));
    try {
      return readInto(opened, null);
    } finally {
      coming.close();
    }
  }

  /** Of memory that is not a slot. Whoever a load waits for waits for nobody. */
  private LaneMemory.Reservation reserve(long bytes) {
    return pool.reserve(bytes, LoaderPool.isLoading() ? 0 : LONGEST_MEMORY_WAIT_NANOS, cancelled);
  }

  /** What so many loads take, as far as sizes are known. */
  private long memoryToLoad(int count) {
    int records = assembly.keepsRecords() ? count : Math.min(count, samples.loaderThreads());
    long batch = shape == ReadShape.RECORDS ? 0 : samples.sizes().estimate(shape, indices.length);
    return samples.sizes().estimate(ReadShape.RECORDS, records) + batch;
  }

  private Batch readInto(Opened opened, SlotPool.@Nullable Slot slot) throws IOException {
    boolean kept = false;
    LaneMemory.@Nullable Block block = null;
    try {
      Reply reply =
          opened
              .session()
              .call(
                  new Read(
                      opened.handle(),
                      LaneMessage.Shape.valueOf(shape.name()),
                      loader != null,
                      0,
                      slot == null ? LaneMessage.NO_SLOT : slot.segment(),
                      slot == null ? LaneMessage.NO_SLOT : slot.number(),
                      0,
                      indices,
                      stamps,
                      new int[0]));
      block = reply.payload();
      Batch batch = checked(opened, reply, LaneMessage.Shape.valueOf(shape.name()), indices.length);
      takeLeases(opened, batch);
      if (batch.tooSmall()) {
        if (slot == null) {
          throw opened.session().breakOff("TOO_SMALL, but no slot was named");
        }
        return batch;
      }
      generation = batch.generation();
      boolean hits = Assembly.hasHits(batch);
      if (block == null && slot == null) {
        if (hits) {
          throw opened.session().breakOff("hits without payload");
        }
        return batch;
      }
      if (!hits && (block != null || assembly.keepsRecords())) {
        return batch; // Only a collated batch has a use for an empty slot.
      }
      BatchMemory payload = block != null ? BatchMemory.of(block) : Objects.requireNonNull(slot);
      if (hits) {
        (block != null ? counters.inlineBatches : counters.slotBatches).increment();
      }
      kept = true;
      if (block != null && slot != null) {
        slot.release();
      }
      assembly.accept(batch, payload);
      for (int i = 0; i < indices.length; i++) {
        if (Assembly.isHit(batch, i)) {
          statuses[i] = Status.HIT;
        }
      }
      return batch;
    } catch (MalformedReplyException e) {
      throw opened.session().breakOff("READ reply: " + e.getMessage());
    } finally {
      if (!kept) {
        if (slot != null) {
          slot.release();
        }
        if (block != null) {
          block.close();
        }
      }
    }
  }

  private static Batch checked(Opened opened, Reply reply, LaneMessage.Shape shape, int count)
      throws IOException {
    Batch batch = (Batch) reply.message();
    if (batch.statuses().length != count || batch.shape() != shape) {
      throw opened
          .session()
          .breakOff(
              "READ reply has %d samples as %s, asked for %d as %s"
                  .formatted(batch.statuses().length, batch.shape(), count, shape));
    }
    return batch;
  }

  /** Notes what a reply to the whole batch leaves to do; leases stay ours whatever comes next. */
  private void takeLeases(Opened opened, Batch batch) {
    wants.values().removeIf(want -> want.lease() == null);
    List<Lease> superfluous = new ArrayList<>();
    int next = 0;
    for (int i = 0; i < indices.length; i++) {
      LaneMessage.Status status = batch.statuses()[i];
      Lease lease = null;
      if (status == LaneMessage.Status.LEASED_TO_YOU) {
        lease =
            new Lease(
                opened.handle(), indices[i], batch.leases()[next], batch.leaseVersions()[next]);
        next++;
        opened.session().hold(lease);
      }
      Want want = wants.get(indices[i]);
      if (status == LaneMessage.Status.HIT) {
        if (want != null && !contains(want.positions(), i)) {
          continue;
        }
        if (want != null) {
          superfluous.add(Objects.requireNonNull(want.takeLease()));
          wants.remove(indices[i]);
        }
      } else if (want == null) {
        wants.put(indices[i], new Want(indices[i], i, duty(status), lease));
      } else {
        if (!contains(want.positions(), i)) {
          want.add(i);
        }
        if (lease != null && !lease.equals(want.lease())) {
          Lease older = want.takeLease();
          if (older != null) {
            superfluous.add(older);
          }
          want.lease(lease);
        } else if (want.lease() == null && status == LaneMessage.Status.MISS) {
          want.become(Want.Duty.UNLEASED);
        }
      }
    }
    if (!superfluous.isEmpty()) {
      opened.session().abandon(superfluous);
    }
  }

  private static Want.Duty duty(LaneMessage.Status status) {
    return switch (status) {
      case LEASED_TO_YOU -> Want.Duty.OURS;
      case LEASED_TO_OTHER -> Want.Duty.OTHERS;
      case MISS, HIT -> Want.Duty.UNLEASED;
    };
  }

  private static boolean contains(int[] positions, int position) {
    for (int one : positions) {
      if (one == position) {
        return true;
      }
    }
    return false;
  }

  /** An error that the user must see is thrown; after any other the origin has the samples. */
  private void refuseOrGoOn(Opened opened, LaneException e) {
    switch (e.code()) {
      case NOT_COLLATABLE ->
          throw new CacheException(
              "%s: %s; %s".formatted(samples.spec(), e.getMessage(), NOT_COLLATABLE_ADVICE), e);
      case REFUSED ->
          throw new CacheException("%s: %s".formatted(samples.spec(), e.getMessage()), e);
      case TOO_LARGE -> {
        // What a slot was too small for is no miss.
        wants.values().removeIf(want -> want.lease() == null);
        for (int i = 0; i < indices.length; i++) {
          want(i, Want.Duty.UNKNOWN);
        }
      }
      default -> {
        samples.sayOnce("a READ failed, the batch comes from the origin", e);
        abandonLeases(wants.values());
        node = null;
      }
    }
    if (!opened.session().isOpen()) {
      node = null;
    }
  }

  /** What one frame cannot hold is asked for in smaller pieces. */
  private void readInPieces(Opened opened) {
    List<Want> unknown = new ArrayList<>(wants.values());
    unknown.removeIf(want -> want.duty() != Want.Duty.UNKNOWN);
    if (!unknown.isEmpty()) {
      counters.inlineBatches.increment();
      readSome(opened, unknown, 0);
    }
    for (Want want : unknown) {
      if (want.duty() == Want.Duty.UNKNOWN) {
        want.become(Want.Duty.FOR_US_ALONE); // The node went away half-way.
      }
    }
  }

  private void want(int position, Want.Duty duty) {
    Want known = wants.get(indices[position]);
    if (known == null) {
      wants.put(indices[position], new Want(indices[position], position, duty, null));
    } else if (!contains(known.positions(), position)) {
      known.add(position);
    }
  }

  private void wantTheRest() {
    for (int i = 0; i < indices.length; i++) {
      if (statuses[i] == null) {
        want(i, Want.Duty.FOR_US_ALONE);
      }
    }
  }

  // Loading.

  private void loadAll() {
    load();
    // Own loads do not count: what others have filled meanwhile is there.
    long left = samples.leaseWaitNanos();
    while (!wants.isEmpty()) {
      checkCancelled();
      Opened opened = node;
      if (opened == null || left <= 0) {
        wants.values().forEach(want -> want.become(Want.Duty.FOR_US_ALONE));
      } else {
        long started = System.nanoTime();
        waitForOthers(opened, left);
        left -= System.nanoTime() - started;
      }
      load();
    }
  }

  /** Loads everything that is ours to load, and throws the first failure after all of it. */
  private void load() {
    List<Want> ours = new ArrayList<>();
    for (Want want : wants.values()) {
      if (want.isOurs()) {
        ours.add(want);
      }
    }
    if (ours.isEmpty()) {
      return;
    }
    List<Runnable> tasks = new ArrayList<>(ours.size());
    for (Want want : ours) {
      tasks.add(() -> loadOne(want));
    }
    LaneMemory.Reservation coming = reserve(memoryToLoad(ours.size()));
    try {
      samples.loaders().run(turn, tasks);
    } finally {
      coming.close();
    }
    for (Want want : ours) {
      RuntimeException error = want.error();
      if (error != null) {
        throw error;
      }
      settle(want, Status.LOADED);
    }
    ours.forEach(want -> wants.remove(want.index));
  }

  private void loadOne(Want want) {
    try {
      checkCancelled();
      SampleRecord record;
      long started = System.nanoTime();
      try {
        record =
            Objects.requireNonNull(
                Objects.requireNonNull(loader).load(want.index), "the loader returned null");
        counters.originLoads.increment();
        samples.work().loaded(System.nanoTime() - started);
      } catch (Throwable e) {
        // Errors too: whatever a loader throws, others must not wait for this sample.
        throw new SampleLoadException(samples.spec().name(), want.index, e);
      }
      deliver(want, stamps.length == 0 ? record : record.withSourceStamp(stamp(want)));
    } catch (RuntimeException | Error e) {
      want.failed(e instanceof RuntimeException one ? one : new IllegalStateException(e));
      abandonLeases(List.of(want));
    }
  }

  /** Fills and places; what is kept is our own copy, the loader may use its buffers again. */
  private void deliver(Want want, SampleRecord record) {
    RecordLayout layout = layout(want, record);
    int bytes = layout.recordLength();
    samples.sizes().learn(layout);
    Opened opened = node;
    boolean fills = opened != null && want.duty() != Want.Duty.FOR_US_ALONE;
    if (opened != null && fills && bytes > opened.session().limits().maxRecordBytes()) {
      samples.sayTooLarge(want.index, bytes, opened.session().limits().maxRecordBytes());
      samples.fills().dropped(want.index, bytes, Fills.TOO_LARGE);
      abandonLeases(List.of(want));
      fills = false;
    }
    if (!fills && !assembly.keepsRecords()) {
      assembly.place(want.positions(), record);
      return;
    }
    LaneMemory.Block block = pool.take(bytes);
    boolean kept = false;
    try {
      CODEC.encode(record, block.buffer().duplicate());
      if (opened != null && fills) {
        fill(opened, want, block.buffer().duplicate());
      }
      SampleRecord own = CODEC.decode(block.buffer().duplicate());
      if (assembly.keepsRecords()) {
        assembly.keep(BatchMemory.of(block));
        kept = true;
      }
      assembly.place(want.positions(), own);
    } finally {
      if (!kept) {
        block.close();
      }
    }
  }

  private RecordLayout layout(Want want, SampleRecord record) {
    try {
      return RecordLayout.of(record);
    } catch (IllegalArgumentException e) {
      throw new CacheException(
          "sample index=%d of %s cannot be stored: %s"
              .formatted(want.index, samples.spec(), e.getMessage()),
          e);
    }
  }

  private void fill(Opened opened, Want want, ByteBuffer record) {
    Lease lease = want.takeLease();
    if (lease == null && generation < 0) {
      // Nobody told what was current when the load began.
      samples.fills().dropped(want.index, record.remaining(), Fills.LOST);
      return;
    }
    try {
      samples.fills().fill(opened, want.index, lease, generation, record);
    } catch (IOException e) {
      node = null;
      samples.fills().dropped(want.index, record.remaining(), Fills.LOST);
    }
  }

  private void abandonLeases(Collection<Want> some) {
    Opened opened = node;
    List<Lease> unused = new ArrayList<>();
    for (Want want : some) {
      Lease lease = want.takeLease();
      if (lease != null) {
        unused.add(lease);
      }
    }
    if (opened != null && !unused.isEmpty()) {
      opened.session().abandon(unused);
    }
  }

  // Waiting.

  private void waitForOthers(Opened opened, long leftNanos) {
    long started = System.nanoTime();
    long waitMillis =
        Math.min(
            opened.session().longestWaitMillis(), TimeUnit.NANOSECONDS.toMillis(leftNanos) + 1);
    List<Want> waiting = new ArrayList<>(wants.values());
    readSome(opened, waiting, (int) waitMillis);
    boolean stillAll = wants.size() == waiting.size();
    for (Want want : wants.values()) {
      stillAll &= want.duty() == Want.Duty.OTHERS;
    }
    if (stillAll && node != null) {
      Pause.nanos(SHORTEST_ROUND_NANOS - (System.nanoTime() - started));
    }
  }

  private void readSome(Opened opened, List<Want> some, int waitMillis) {
    try {
      readRecords(opened, some, waitMillis);
    } catch (IOException e) {
      node = null;
    } catch (LaneException e) {
      refuseOrGoOn(opened, e);
    }
  }

  /** Reads samples one by one as records, in halves where a frame cannot hold them. */
  private void readRecords(Opened opened, List<Want> some, int waitMillis) throws IOException {
    Reply reply;
    try {
      reply =
          opened
              .session()
              .call(
                  new Read(
                      opened.handle(),
                      LaneMessage.Shape.RECORDS,
                      loader != null,
                      0,
                      LaneMessage.NO_SLOT,
                      LaneMessage.NO_SLOT,
                      waitMillis,
                      some.stream().mapToLong(want -> want.index).toArray(),
                      stamps.length == 0 ? stamps : some.stream().mapToLong(this::stamp).toArray(),
                      new int[0]));
    } catch (LaneException e) {
      if (e.code() != LaneException.Code.TOO_LARGE) {
        throw e;
      }
      if (some.size() == 1) {
        some.get(0).become(Want.Duty.FOR_US_ALONE);
        return;
      }
      int half = some.size() / 2;
      readRecords(opened, some.subList(0, half), waitMillis);
      readRecords(opened, some.subList(half, some.size()), waitMillis);
      return;
    }
    LaneMemory.Block block = reply.payload();
    boolean kept = false;
    try {
      Batch batch = checked(opened, reply, LaneMessage.Shape.RECORDS, some.size());
      if (generation < 0) {
        generation = batch.generation();
      }
      if (block != null && assembly.keepsRecords()) {
        assembly.keep(BatchMemory.of(block));
        kept = true;
      }
      int next = 0;
      for (int i = 0; i < some.size(); i++) {
        Want want = some.get(i);
        switch (batch.statuses()[i]) {
          case HIT -> {
            if (block == null || !(batch.table() instanceof Table.Records table)) {
              throw opened.session().breakOff("hits without payload");
            }
            ByteBuffer bytes = RecordsAssembly.recordAt(table, i, block.buffer());
            assembly.place(want.positions(), CODEC.decode(bytes));
            learn(bytes);
            settle(want, Status.HIT);
            if (want.duty() == Want.Duty.OTHERS) {
              counters.waitedForOthers.add(want.positions().length);
            }
            wants.remove(want.index);
          }
          case LEASED_TO_YOU -> {
            Lease lease =
                new Lease(
                    opened.handle(), want.index, batch.leases()[next], batch.leaseVersions()[next]);
            next++;
            opened.session().hold(lease);
            want.lease(lease);
          }
          case MISS -> want.become(Want.Duty.UNLEASED);
          case LEASED_TO_OTHER -> want.become(Want.Duty.OTHERS);
        }
      }
    } catch (MalformedReplyException | MalformedRecordException e) {
      throw opened.session().breakOff("READ reply: " + e.getMessage());
    } finally {
      if (block != null && !kept) {
        block.close();
      }
    }
  }

  /** The next batch like this one is to come in a slot. */
  private void learn(ByteBuffer record) {
    if (samples.sizes().known(RecordLayout.schemaHash(record, 0)) == null) {
      samples.sizes().learn(RecordLayout.parse(record, record.remaining()));
    } else {
      samples.sizes().learn(record.remaining());
    }
  }

  // The end.

  private void settle(Want want, Status status) {
    for (int position : want.positions()) {
      statuses[position] = status;
    }
  }

  private void count() {
    int hits = 0;
    for (Status status : statuses) {
      hits += status == Status.HIT ? 1 : 0;
    }
    counters.hits.add(hits);
    counters.misses.add(indices.length - hits);
  }

  private void checkCancelled() {
    if (cancelled.getAsBoolean()) {
      throw new CancellationException("the reader was closed");
    }
  }
}
