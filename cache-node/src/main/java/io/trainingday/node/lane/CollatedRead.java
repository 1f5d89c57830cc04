package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Each field one contiguous array; the first hit decides the schema.
 *
 * <p>A large batch is copied by several threads: one core cannot read and write memory as fast as
 * the memory allows. What is not plain (another layout, a damaged record) is left to the
 * connection's own thread.
 *
 * <p>Records from elsewhere are laid down as they arrive, under the layout that most records of the
 * data set have. What turns out to have another one is asked for again, by its head first.
 */
final class CollatedRead extends BatchRead {
  private @Nullable Collation collation;
  private byte @Nullable [] head;
  private final Copiers copiers;
  private @Nullable RecordLayout @Nullable [] announcedLayouts;
  private boolean fixed;

  CollatedRead(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Copiers.Tools tools,
      Copiers copiers) {
    super(request, dataset, target, tools);
    this.copiers = copiers;
  }

  @Override
  void readStored(int[] positions) {
    int next = 0;
    while (next < positions.length && head == null && !tooSmall()) {
      readStored(positions[next++]);
    }
    Collation known = collation;
    if (known == null || tooSmall()) {
      return;
    }
    Placed[] placed = new Placed[positions.length];
    copiers.run(
        next,
        positions.length,
        known.layout().recordLength(),
        (from, to) -> {
          Copiers.Tools tools = Copiers.tools();
          Collation own = known.forAnotherThread();
          ByteBuffer bytes = target.bytes().duplicate();
          for (int k = from; k < to; k++) {
            placed[k] = tryPlain(own, tools, bytes, positions[k]);
          }
        });
    for (; next < positions.length && !tooSmall(); next++) {
      int i = positions[next];
      Placed plain = placed[next];
      if (plain == null) {
        readStored(i);
      } else {
        settle(i, plain == Placed.HIT ? hitOf(i, known.layout().recordLength()) : plain);
      }
    }
  }

  /** Lays down a stored record of the known layout; null if it takes more than that. */
  private @Nullable Placed tryPlain(Collation known, Copiers.Tools tools, ByteBuffer bytes, int i) {
    Sinks.Scatter sink = known.scatter(i, tools.scratch().address(), target.address());
    int length = pour(i, null, sink);
    if (length < 0) {
      return sink.refused() ? null : Placed.ABSENT;
    }
    if (!known.fits(tools.scratch().bytes())
        || (dataset.verify() && !known.verify(tools.checksum(), tools.scratch().bytes(), bytes, i))
        || freshness.isStale(tools.scratch().bytes(), 0, i)) {
      return null;
    }
    return Placed.HIT;
  }

  @Override
  Placed place(int i, byte @Nullable [] bytes) {
    Collation expected = expected();
    if (expected == null) {
      return placeWhole(i, bytes);
    }
    if (target.bytes().capacity() < expected.totalBytes()) {
      // Only a batch with a hit needs the room: look before asking for it.
      if (bytes == null && !dataset.store().contains(key(i))) {
        return Placed.ABSENT;
      }
      if (!target.ensure(expected.totalBytes())) {
        return noRoom(expected.totalBytes());
      }
    }
    Sinks.Scatter sink = expected.scatter(i, scratch.address(), target.address());
    int length = pour(i, bytes, sink);
    if (length < 0) {
      return sink.refused() ? placeWhole(i, bytes) : Placed.ABSENT;
    }
    if (!expected.fits(scratch.bytes())) {
      return placeWhole(i, bytes);
    }
    if (dataset.verify() && !expected.verify(checksum, scratch.bytes(), target.bytes(), i)) {
      // The record, or a slot whose trainer writes to it too late: its own copy tells.
      return placeWhole(i, bytes);
    }
    if (freshness.isStale(scratch.bytes(), 0, i)) {
      return Placed.STALE;
    }
    keepHead(expected.layout());
    return hitOf(i, length);
  }

  private @Nullable Collation expected() {
    if (collation == null && dataset.expectedLayout() != null) {
      collation = new Collation(dataset.expectedLayout(), count());
    }
    return collation;
  }

  /** The way of a record whose layout is not the expected one. */
  private Placed placeWhole(int i, byte @Nullable [] bytes) {
    int length = readToScratch(i, bytes);
    if (length < 0) {
      return Placed.ABSENT;
    }
    // Without the checksum the layout could not be trusted.
    if (!checksum.matches(scratch.bytes(), 0, length)) {
      return Placed.DAMAGED;
    }
    if (freshness.isStale(scratch.bytes(), 0, i)) {
      return Placed.STALE;
    }
    RecordLayout layout = RecordLayout.parse(scratch.bytes(), length);
    if (fixed) {
      return Placed.LATER;
    }
    Collation known = agree(i, layout);
    if (!target.ensure(known.totalBytes())) {
      return noRoom(known.totalBytes());
    }
    known.place(scratch.bytes(), layout, target.bytes(), i);
    keepHead(layout);
    return hitOf(i, length);
  }

  /** The collation that sample {@code i} is part of: the first hit decides, the others follow. */
  private Collation agree(int i, RecordLayout layout) {
    Collation known = collation;
    boolean differs = known == null || layout.schemaHash() != known.layout().schemaHash();
    if (differs && known != null && hasHit()) {
      throw new LaneException(
          LaneException.Code.NOT_COLLATABLE,
          "sample %d is (%s) where others of its batch are (%s); read ragged or as records, or resize samples to one shape"
              .formatted(request.indices()[i], layout, known.layout()));
    }
    if (known == null || differs) {
      known = new Collation(layout, count());
      collation = known;
      head = null;
      dataset.expectLayout(layout);
    }
    return known;
  }

  private void keepHead(RecordLayout layout) {
    if (head == null) {
      head = new byte[layout.bodyStart()];
      scratch.bytes().get(0, head);
    }
  }

  @Override
  boolean fix() {
    Collation guess = expected();
    fixed = guess != null && target.ensure(guess.totalBytes());
    return fixed;
  }

  @Override
  Places straight() {
    return new CollatedPlaces(
        Objects.requireNonNull(collation).forAnotherThread(), target, dataset.verify());
  }

  @Override
  void loosen() {
    fixed = false;
  }

  @Override
  Placed announce(int i, HeadPlaces.Head announced) {
    Collation known = agree(i, announced.layout());
    if (!target.ensure(known.totalBytes())) {
      return noRoom(known.totalBytes());
    }
    if (head == null) {
      head = announced.bytes();
    }
    if (announcedLayouts == null) {
      announcedLayouts = new RecordLayout[count()];
    }
    announcedLayouts[i] = announced.layout();
    return hitOf(i, announced.layout().recordLength());
  }

  @Override
  void used(Places places) {
    if (head == null && places instanceof CollatedPlaces collated) {
      head = collated.head();
    }
  }

  @Override
  boolean arrange() {
    return !tooSmall();
  }

  @Override
  Places places() {
    return new ScatteredPlaces(
        target,
        Objects.requireNonNull(announcedLayouts),
        Objects.requireNonNull(collation)::position,
        dataset.verify());
  }

  @Override
  Table table() {
    return head == null || !hasHit() ? new Table.Empty() : new Table.Collated(head);
  }

  @Override
  long payloadBytes() {
    return collation == null || !hasHit() ? 0 : collation.totalBytes();
  }
}
