package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Abandon;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Renew;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.ReportMessage;
import io.trainingday.node.capacity.ReadRecorder;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The reads, fills and leases of one trainer's connection. On the connection's thread. */
final class TrainerSession {
  /** Four of the largest READs: each sample costs memory until its batch is answered. */
  private static final int MAX_SAMPLES_IN_FLIGHT = 4 * LaneMessage.MAX_COUNT;

  private final LaneServer server;
  private final Connection connection;
  private final LeaseRelay leases;
  private final FillIntake fills;
  private final SchemaWait unknown;
  private final LoadTimes loadTimes = new LoadTimes();
  private final Set<Reading> readings = new LinkedHashSet<>();

  TrainerSession(LaneServer server, Connection connection) {
    this.server = server;
    this.connection = connection;
    leases = new LeaseRelay(server.fills(), server.peers());
    fills = new FillIntake(server, leases);
    unknown = new SchemaWait(server, connection, fills);
  }

  /** Reads and fills that have not been answered. */
  int requestsInFlight() {
    return readings.size() + unknown.count();
  }

  void read(long requestId, Read request) {
    int samples = request.indices().length;
    for (Reading other : readings) {
      samples += other.request.indices().length;
    }
    if (samples > MAX_SAMPLES_IN_FLIGHT) {
      throw new LaneException(
          Code.TOO_MANY,
          "samples of READs in flight=%d, allowed on one connection: %d; wait for some replies"
              .formatted(samples, MAX_SAMPLES_IN_FLIGHT));
    }
    Reading reading = new Reading(requestId, request);
    readings.add(reading);
    reading.flow.start();
  }

  void fill(long requestId, Fill fill) {
    ServedDataset dataset = connection.dataset(fill.handle());
    if (!connection.grants().mayFill(dataset.name())) {
      throw new Denial(
          RefusalReason.GRANT,
          "this token grants reading and no filling of the data set; take one with fill: of it");
    }
    loadTimes.filled(fill.lease(), System.nanoTime());
    FillIntake.Loaded loaded = fills.take(dataset, fill);
    if (dataset.knowsSchema(loaded.layout())) {
      connection.send(requestId, fills.submit(dataset, fill, loaded.bytes()));
      return;
    }
    unknown.await(dataset, requestId, fill, loaded);
  }

  void renew(Renew renew) {
    ServedDataset dataset = connection.dataset(renew.handle());
    leases.renew(
        leases(dataset, renew.variant(), renew.indices(), renew.leases(), renew.sampleVersions()),
        dataset.store());
  }

  void abandon(Abandon abandon) {
    ServedDataset dataset = connection.dataset(abandon.handle());
    leases.release(
        leases(
            dataset,
            abandon.variant(),
            abandon.indices(),
            abandon.leases(),
            abandon.sampleVersions()),
        dataset.store());
    dataset.counters().abandoned.add(abandon.indices().length);
    loadTimes.abandoned(abandon.leases(), System.nanoTime());
  }

  void report(ReportMessage report) {
    connection.dataset(report.handle()).counters().report(report);
  }

  private static List<LeaseRelay.Lease> leases(
      ServedDataset dataset, int variant, long[] indices, long[] leases, long[] sampleVersions) {
    List<LeaseRelay.Lease> all = new ArrayList<>(indices.length);
    for (int i = 0; i < indices.length; i++) {
      all.add(new LeaseRelay.Lease(dataset.key(indices[i], variant, sampleVersions[i]), leases[i]));
    }
    return all;
  }

  /** Answers all reads with what there is: the node stops. */
  void hurry() {
    List.copyOf(readings).forEach(reading -> reading.flow.hurry());
  }

  /** The trainer is gone: when this returns nobody writes to its memory, and its leases end. */
  void close() {
    for (Reading reading : List.copyOf(readings)) {
      reading.flow.abort();
      reading.free();
    }
    readings.clear();
    unknown.close();
    leases.close();
  }

  /** One READ under way and the memory it writes to. */
  private final class Reading {
    private final long requestId;
    private final Read request;
    private final @Nullable Segment segment;
    private final Target target;
    private final BatchFlow flow;

    Reading(long requestId, Read asked) {
      this.requestId = requestId;
      ServedDataset dataset = connection.dataset(asked.handle());
      DatasetGrants granted = connection.grants();
      if (!granted.mayRead(dataset.name())) {
        throw new Denial(
            RefusalReason.GRANT,
            "data set \"%s\" is no longer granted to this token; take one with read: or fill: of it"
                .formatted(dataset.name()));
      }
      // Who may not fill holds up nobody by a lease.
      request = granted.mayFill(dataset.name()) ? asked : asked.withoutLeases();
      segment =
          request.segment() == LaneMessage.NO_SLOT ? null : connection.segment(request.segment());
      if (segment != null && !segment.take(request.slot())) {
        throw new LaneException(
            Code.MALFORMED,
            "slot %d of segment %d is none, or another READ uses it"
                .formatted(request.slot(), request.segment()));
      }
      target =
          segment == null
              ? new Target.Inline(
                  connection.channel().alloc(),
                  maxInlineBytes(request.indices().length),
                  server.hasTenants())
              : segment.target(request.slot());
      try {
        flow =
            new BatchFlow(
                server,
                BatchRead.of(
                    request,
                    dataset,
                    target,
                    Copiers.tools(),
                    server.copiers(),
                    server.limits().maxFrameBytes()),
                leases,
                connection.channel().eventLoop(),
                this::answer);
      } catch (LaneException e) {
        free();
        throw e;
      }
    }

    /** What of a frame is left for the payload beside the tables, generously. */
    private int maxInlineBytes(int count) {
      return (int) Math.max(0L, server.limits().maxFrameBytes() - count * 64L - (256L << 10));
    }

    /** The flow is over: nobody writes to the target any more. */
    private void answer(BatchFlow ended) {
      readings.remove(this);
      try {
        RuntimeException failure = ended.failure();
        if (failure != null) {
          throw failure;
        }
        Batch reply = ended.batch().reply();
        if (connection.wantsOldestFormat()) {
          OldestFormat.apply(reply, target.bytes());
        }
        if (segment != null && !reply.tooSmall()) {
          segment.deliver(request.slot(), target, reply.payloadBytes());
        }
        count(reply);
        loadTimes.given(ended.batch().dataset.counters(), reply.leases(), System.nanoTime());
        if (segment != null) {
          segment.give(request.slot());
          target.release();
        }
        connection.sendBatch(requestId, reply, target);
      } catch (RuntimeException e) {
        ended.releaseLeases();
        free();
        connection.refuse(requestId, Connection.asRefusal(e));
      }
    }

    private void count(Batch reply) {
      long busyNanos = flow.busyNanos();
      server.countNanos(busyNanos);
      server.countBatch(segment == null);
      ServedDataset dataset = flow.batch().dataset;
      trace(reply);
      ReadSource slowest = dataset.counters().count(request, reply, flow);
      server.latencies().batch(slowest, busyNanos);
      ReadRecorder reads = server.services().reads();
      if (!reply.tooSmall() && reads.wants(dataset.hash())) {
        reads.read(dataset.hash(), flow.readHere());
      }
    }

    /** What others are loading is asked for again, and is no miss of its own. */
    private void trace(Batch reply) {
      Traces traces = server.services().traces();
      for (int i = 0; i < reply.statuses().length; i++) {
        Status status = reply.statuses()[i];
        if (!flow.batch().isServable()) {
          traces.notServed(flow.batch().key(i));
        } else if (status == Status.LEASED_TO_YOU || (status == Status.MISS && !reply.tooSmall())) {
          Fate unfit = flow.batch().unfit(i);
          if (unfit != null) {
            traces.note(flow.batch().key(i), unfit);
          }
          traces.missed(flow.batch().key(i));
        }
      }
    }

    private void free() {
      if (segment != null) {
        segment.give(request.slot());
      }
      target.release();
    }
  }
}
