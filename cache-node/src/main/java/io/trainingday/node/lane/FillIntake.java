package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.peer.Peer;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.versions.SampleVersion;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordFormat;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes the records that a trainer has loaded: into this node's fills, or on to their owner behind
 * the training. For one connection.
 */
final class FillIntake {
  private final LaneServer server;
  private final LeaseRelay leases;

  FillIntake(LaneServer server, LeaseRelay leases) {
    this.server = server;
    this.leases = leases;
  }

  /** The bytes of a record and what they say of themselves. */
  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  record Loaded(byte[] bytes, RecordLayout layout) {}

  /**
   * Takes a copy of the record, checks and seals it.
   *
   * @throws LaneException REFUSED when it is too large, malformed or damaged
   */
  Loaded take(ServedDataset dataset, Fill fill) {
    int length = fill.record().remaining();
    if (length > server.limits().maxRecordBytes()) {
      server
          .services()
          .traces()
          .note(dataset.key(fill.index(), fill.variant()), Fate.REFUSED_TOO_LARGE);
      throw new LaneException(
          Code.REFUSED,
          "record of sample %d has %d bytes > lane.maxRecordSize=%d, store smaller samples or raise it"
              .formatted(fill.index(), length, server.limits().maxRecordBytes()));
    }
    byte[] record = new byte[length];
    fill.record().get(record);
    ByteBuffer bytes = ByteBuffer.wrap(record);
    RecordChecksum checksum = Copiers.tools().checksum();
    try {
      RecordLayout layout = RecordLayout.parse(bytes, length);
      if (checksum.matches(bytes, 0, length)) {
        if (server.ownership().recordFormat() == RecordFormat.OLDEST) {
          RecordFormat.toOldest(bytes, 0, length);
        }
        checksum.seal(bytes, 0, length);
        return new Loaded(record, layout);
      }
    } catch (MalformedRecordException e) {
      throw new LaneException(
          Code.REFUSED, "record of sample %d: %s".formatted(fill.index(), e.getMessage()));
    }
    throw new LaneException(
        Code.REFUSED, "record of sample %d does not match its checksum".formatted(fill.index()));
  }

  /** Takes a record whose schema is known to be right. */
  FillReply submit(ServedDataset dataset, Fill fill, byte[] record) {
    SampleKey key = dataset.key(fill.index(), fill.variant());
    // Without a lease the trainer tells the generation that was current when its load began.
    boolean current =
        fill.lease() == 0
            ? SampleVersion.generation(key.sampleVersion()) <= fill.sampleVersion()
            : key.sampleVersion() == fill.sampleVersion();
    if (!current) {
      // Who waits for the old version loads for itself. A newer one than this node knows of is not
      // written either: the next publish could make it current.
      if (fill.lease() != 0) {
        SampleKey leased = dataset.key(fill.index(), fill.variant(), fill.sampleVersion());
        release(dataset, leased, fill.lease());
      }
      return new FillReply(FillResult.DROPPED, "stale");
    }
    OwnershipTable table = server.ownership().table(dataset.store().backups());
    Member primary = table.primary(table.partition(key.index()));
    int granter = LeaseIds.granter(fill.lease());
    boolean grantedHere = fill.lease() != 0 && granter == LeaseIds.LOCAL;
    // Who waits here is served here, even when the partition has moved meanwhile: the grid stores
    // the record where it belongs.
    server.services().traces().kept(key, dataset.store().backups());
    Submitted submitted =
        primary.local() || grantedHere
            ? server.fills().submit(dataset.store(), key, record)
            : server.forwarder().submit(dataset.store(), key, dataset.verify(), record);
    if (submitted == Submitted.BUSY) {
      server.services().traces().note(key, Fate.REFUSED_BUSY);
    }
    if (submitted != Submitted.BUSY && granter != LeaseIds.LOCAL && !isPeer(primary, granter)) {
      release(dataset, key, fill.lease()); // The record does not come by the node that granted it.
    }
    return switch (submitted) {
      case TAKEN, REPEATED -> new FillReply(FillResult.TAKEN, "");
      case BUSY -> new FillReply(FillResult.BUSY, reason(submitted));
      case NO_ROOM, TOO_LARGE, CLOSED -> new FillReply(FillResult.DROPPED, reason(submitted));
    };
  }

  /** Why a record was not taken, in one word; empty when it was. */
  static String reason(Submitted submitted) {
    return switch (submitted) {
      case TAKEN, REPEATED -> "";
      case BUSY -> "busy";
      case NO_ROOM -> "budget";
      case TOO_LARGE -> "too-large";
      case CLOSED -> "stopping";
    };
  }

  private boolean isPeer(Member primary, int number) {
    @Nullable Peer granter = server.peers().numbered(number);
    return granter != null && granter.member().id().equals(primary.id());
  }

  private void release(ServedDataset dataset, SampleKey key, long lease) {
    leases.release(List.of(new LeaseRelay.Lease(key, lease)), dataset.store());
  }
}
