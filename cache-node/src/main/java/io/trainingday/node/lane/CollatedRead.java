package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.node.lane.Sinks.Scratch;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Each field one contiguous array; the first hit decides the schema.
 *
 * <p>A large batch is copied by several threads: one core cannot read and write memory as fast as
 * the memory allows. What is not plain (another layout, a damaged record) is left to the
 * connection's own thread.
 */
final class CollatedRead extends BatchRead {
  private @Nullable Collation collation;
  private byte @Nullable [] head;
  private final Copiers copiers;

  CollatedRead(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Scratch scratch,
      RecordChecksum checksum,
      Copiers copiers) {
    super(request, dataset, target, scratch, checksum);
    this.copiers = copiers;
  }

  @Override
  void readStored() {
    int i = 0;
    while (i < count() && head == null && !tooSmall()) {
      readStored(i++);
    }
    Collation known = collation;
    if (known == null || tooSmall()) {
      return;
    }
    Placed[] placed = new Placed[count()];
    copiers.run(
        i,
        count(),
        known.layout().recordLength(),
        (from, to) -> {
          Copiers.Tools tools = Copiers.tools();
          Collation own = known.forAnotherThread();
          ByteBuffer bytes = target.bytes().duplicate();
          for (int k = from; k < to; k++) {
            placed[k] = tryPlain(own, tools, bytes, k);
          }
        });
    for (; i < count() && !tooSmall(); i++) {
      Placed plain = placed[i];
      if (plain == null) {
        readStored(i);
      } else {
        settle(i, plain == Placed.HIT ? hit(known.layout().recordLength()) : plain);
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
        || (dataset.verify()
            && !known.verify(tools.checksum(), tools.scratch().bytes(), bytes, i))) {
      return null;
    }
    return Placed.HIT;
  }

  @Override
  Placed place(int i, byte @Nullable [] bytes) {
    Collation expected = collation;
    if (expected == null && dataset.expectedLayout() != null) {
      expected = new Collation(dataset.expectedLayout(), count());
      collation = expected;
    }
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
      return Placed.DAMAGED;
    }
    keepHead(expected.layout());
    return hit(length);
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
    RecordLayout layout = RecordLayout.parse(scratch.bytes(), length);
    Collation expected = collation;
    if (expected == null || (!hasHit() && layout.schemaHash() != expected.layout().schemaHash())) {
      expected = new Collation(layout, count());
      collation = expected;
      head = null;
      dataset.expectLayout(layout);
    } else if (layout.schemaHash() != expected.layout().schemaHash()) {
      throw new LaneException(
          LaneException.Code.NOT_COLLATABLE,
          "sample %d is (%s) where others of its batch are (%s); read ragged or as records, or resize samples to one shape"
              .formatted(request.indices()[i], layout, expected.layout()));
    }
    if (!target.ensure(expected.totalBytes())) {
      return noRoom(expected.totalBytes());
    }
    expected.place(scratch.bytes(), layout, target.bytes(), i);
    keepHead(layout);
    return hit(length);
  }

  private void keepHead(RecordLayout layout) {
    if (head == null) {
      head = new byte[layout.bodyStart()];
      scratch.bytes().get(0, head);
    }
  }

  @Override
  Table finish() {
    return head == null || !hasHit() ? new Table.Empty() : new Table.Collated(head);
  }

  @Override
  long payloadBytes() {
    return collation == null || !hasHit() ? 0 : collation.totalBytes();
  }
}
