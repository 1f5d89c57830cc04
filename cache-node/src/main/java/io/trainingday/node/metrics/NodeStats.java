package io.trainingday.node.metrics;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.node.fill.FillStats;
import io.trainingday.node.reload.ReloadStats;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Figures of one node at one time: counters since its start and gauges of now. Each is exact by
 * itself; together they are no snapshot of one instant.
 *
 * <p>The names of the components are the keys of the status as JSON.
 *
 * @param version of training-day
 * @param hostId of the host the node runs on
 * @param uptimeMillis since the node's start
 * @param notReady why no trainer should be sent here, empty when one may
 * @param reload what became of changed settings, tokens and certificates
 * @param certificateExpirySeconds since 1970, when the certificates in use end, by the kind of port
 *     that shows them: {@code lane}, {@code grid}; those that have TLS
 * @param datasets opened since the start, by name
 */
public record NodeStats(
    String version,
    String hostId,
    long uptimeMillis,
    String notReady,
    ReloadStats reload,
    Map<String, Long> certificateExpirySeconds,
    Grid grid,
    Memory memory,
    Disk disk,
    Lane lane,
    Peers peers,
    Fills fills,
    List<Dataset> datasets) {
  static final String DEFAULT_TENANT = "default";
  private static final JsonMapper JSON = new JsonMapper();

  public NodeStats {
    certificateExpirySeconds = Map.copyOf(certificateExpirySeconds);
    datasets = List.copyOf(datasets);
  }

  /**
   * What of them a tenant may see: its own, and sums that name nobody else. What is wrong with the
   * node's files may name others, and is left out.
   */
  public NodeStats of(String tenant) {
    return new NodeStats(
        version,
        hostId,
        uptimeMillis,
        notReady,
        ReloadStats.none(),
        certificateExpirySeconds,
        grid,
        memory,
        disk,
        lane.of(tenant),
        peers,
        fills,
        datasets.stream().filter(one -> one.tenant().equals(tenant)).toList());
  }

  /** These figures as one line of JSON, the text of the lane's status reply. */
  public String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("figures that are no JSON: " + this, impossible);
    }
  }

  /**
   * The grid as this node sees it, and its own place in it.
   *
   * @param topologyVersion of the ownership table
   * @param nodes their names
   * @param partitions in all
   * @param primaries of them, those that this node writes; of data sets without backups
   * @param arriving partitions this node is to hold and has not got all of yet, all numbers of
   *     backups together
   * @param arrivedRecords taken over from other nodes since the start
   * @param arrivedBytes of them
   * @param droppedRecords that were to be taken over and did not fit
   * @param reclaimedRecords dropped because nobody could reach them any more
   * @param reclaimedBytes of them
   * @param refusals connections to Ignite's ports that TLS refused, by reason in lower case
   */
  public record Grid(
      long topologyVersion,
      List<String> nodes,
      int partitions,
      int primaries,
      int arriving,
      long arrivedRecords,
      long arrivedBytes,
      long droppedRecords,
      long reclaimedRecords,
      long reclaimedBytes,
      Map<String, Long> refusals) {
    public Grid {
      refusals = Map.copyOf(refusals);
      nodes = List.copyOf(nodes);
    }
  }

  /**
   * Off-heap memory for samples.
   *
   * @param usedBytes in pages that hold something
   * @param maxBytes the budget
   * @param headroomBytes the part of it that fills leave free
   * @param softCapBytes what may be used at most now, less than the budget while the host or
   *     container is short of memory
   * @param closedReason why no fill is admitted any more, empty while they are
   */
  public record Memory(
      long usedBytes, long maxBytes, long headroomBytes, long softCapBytes, String closedReason) {}

  /**
   * The disk tier; all zero where there is none.
   *
   * @param usedBytes of all its files
   * @param maxBytes the budget, 0 without a disk tier
   * @param records kept
   * @param recordBytes of them
   * @param hits records read from it; of the reads of data sets, each is one of local or peer
   * @param hitBytes of them
   * @param refusals writes refused, by reason in lower case: {@code budget}, {@code disk_full}, …
   * @param damaged records found damaged on it
   * @param promoted records taken into memory because they were read from disk
   * @param fetched records that nodes which owned them before still had
   * @param reclaimed records dropped because nobody asks for them here any more
   * @param copies records sent to the disks of other nodes, by what became of them
   */
  public record Disk(
      long usedBytes,
      long maxBytes,
      long records,
      long recordBytes,
      long hits,
      long hitBytes,
      Map<String, Long> refusals,
      long damaged,
      long promoted,
      long fetched,
      long reclaimed,
      Map<String, Long> copies) {
    /** Of a node without a disk tier. */
    public static final Disk NONE = new Disk(0, 0, 0, 0, 0, 0, Map.of(), 0, 0, 0, 0, Map.of());

    public Disk {
      refusals = Map.copyOf(refusals);
      copies = Map.copyOf(copies);
    }
  }

  /**
   * The data path to trainers.
   *
   * @param connections open now
   * @param maxConnections allowed
   * @param slotsBytes of shared memory given to trainers now
   * @param slotsMaxBytes allowed
   * @param batches answered
   * @param batchNanos spent on them in all
   * @param inlineBatches of them, sent through the socket for want of a slot
   * @param refusals connections, segments and requests refused, by reason in lower case: {@code
   *     token}, {@code too_many}, …
   * @param tenants that may connect here
   */
  public record Lane(
      int connections,
      int maxConnections,
      long slotsBytes,
      long slotsMaxBytes,
      long batches,
      long batchNanos,
      long inlineBatches,
      Map<String, Long> refusals,
      List<Tenant> tenants) {
    public Lane {
      refusals = Map.copyOf(refusals);
      tenants = List.copyOf(tenants);
    }

    Lane of(String tenant) {
      return new Lane(
          connections,
          maxConnections,
          slotsBytes,
          slotsMaxBytes,
          batches,
          batchNanos,
          inlineBatches,
          refusals,
          tenants.stream().filter(one -> one.name().equals(tenant)).toList());
    }
  }

  /**
   * What one tenant has of what tenants have in common.
   *
   * @param connections open now; those of other nodes are no tenant's
   * @param slotsBytes of shared memory given to its trainers now
   */
  public record Tenant(String name, long connections, long slotsBytes) {}

  /**
   * What passes between this node and the others of its grid.
   *
   * @param samplesServed records sent to other nodes
   * @param damaged records that other nodes asked for and that were found damaged here
   * @param stale records that other nodes asked for and that were too old, or of another stamp
   * @param broken connections to other nodes that could not be made or broke
   * @param lateLeases leases that came when nobody waited for them any more, and were given back
   * @param readsTold reads of copies here that the nodes which decide about them were told of, for
   *     policies that ask what is read
   * @param readsUntold such reads that they were not told of, because there were too many
   * @param readsHeard reads of copies elsewhere that this node was told of
   */
  public record Peers(
      long samplesServed,
      long damaged,
      long stale,
      long broken,
      long lateLeases,
      long readsTold,
      long readsUntold,
      long readsHeard) {}

  /**
   * How missing samples came in.
   *
   * @param results records by what became of them, in lower case: {@code written}, {@code
   *     refused_budget}, …
   * @param writtenBytes of records written
   * @param inFlightBytes of records taken and not written yet
   * @param maxInFlightBytes allowed
   * @param leases held now
   * @param leasesEnded by how, in lower case: {@code expired}, {@code released}
   */
  public record Fills(
      Map<String, Long> results,
      long writtenBytes,
      long inFlightBytes,
      long maxInFlightBytes,
      long leases,
      Map<String, Long> leasesEnded) {
    public Fills {
      results = Map.copyOf(results);
      leasesEnded = Map.copyOf(leasesEnded);
    }

    /**
     * The figures of a node's fills.
     *
     * @param maxInFlightBytes that may be in flight
     * @param forwarded records that reached their owner, another node
     * @param forwardDropped records given up before they did
     */
    public static Fills of(
        FillStats stats, long maxInFlightBytes, long forwarded, long forwardDropped) {
      Map<String, Long> results = new HashMap<>();
      results.put("written", stats.recordsWritten());
      results.put("already_stored", stats.recordsAlreadyStored());
      results.put("repeated", stats.fillsRepeated());
      results.put("busy", stats.fillsBusy());
      results.put("failed", stats.writesFailed());
      results.put("dropped", stats.recordsDropped());
      stats
          .fillsRefused()
          .forEach(
              (reason, count) ->
                  results.put("refused_" + reason.name().toLowerCase(Locale.ROOT), count));
      results.put("copies_written", stats.copiesWritten());
      results.put("copies_dropped", stats.copiesDropped());
      results.put("forwarded", forwarded);
      results.put("forward_dropped", forwardDropped);
      return new Fills(
          results,
          stats.bytesWritten(),
          stats.inFlightBytes(),
          maxInFlightBytes,
          stats.liveLeases(),
          Map.of("expired", stats.leasesExpired(), "released", stats.leasesReleased()));
    }
  }

  /**
   * One data set: what this node holds of it, and reads of this node's trainers.
   *
   * @param tenant whose it is
   * @param host id of this node's host
   * @param tier where its records are kept
   * @param policy which of them stay when there is no room for all
   * @param generation that is current
   * @param local samples that came from this host, or would have had they been there
   * @param peer samples that came from other hosts, or would have
   * @param loads samples that trainers were left to load from the origin
   * @param abandoned leases that trainers gave back without a record
   * @param damaged of the misses, records that were there but whose checksum or layout was wrong
   * @param stale of the misses, records that were there but too old, or of another stamp
   * @param entries held here, copies of other nodes' records included
   * @param bytes of them
   * @param budgetBytes of records it may have here now
   * @param hitRate of the last one to two passes, 0–1
   * @param bestHitRate the most that a shuffled pass over all of it can find with this budget, 0–1;
   *     null before any record has come
   * @param loadSeconds no less than a sample takes to load, on the average: from the reply that
   *     left it to a trainer to its record; null before there are enough
   * @param readSeconds that a sample of a batch that is all there takes in this node, on the
   *     average; null before there are enough
   * @param refusals records not taken, by reason in lower case: {@code budget}, {@code quota}, …
   * @param evictions records given up for others
   * @param warnings what is not as it should be, and what to do, a sentence each
   * @param disk of {@code local}, what came from this node's disk; without misses
   * @param trainers what they tell of themselves
   */
  public record Dataset(
      String tenant,
      String name,
      String host,
      String tier,
      String policy,
      long generation,
      Source local,
      Source peer,
      long loads,
      long abandoned,
      long damaged,
      long stale,
      long entries,
      long bytes,
      long budgetBytes,
      double hitRate,
      @Nullable Double bestHitRate,
      @Nullable Double loadSeconds,
      @Nullable Double readSeconds,
      Map<String, Long> refusals,
      long evictions,
      List<String> warnings,
      Source disk,
      Trainers trainers) {
    public Dataset {
      refusals = Map.copyOf(refusals);
      warnings = List.copyOf(warnings);
    }

    /** Its name, behind its tenant where that is not the default one. */
    public String scopedName() {
      return tenant.equals(DEFAULT_TENANT) ? name : tenant + "/" + name;
    }

    /** Samples found, wherever. */
    public long hits() {
      return local.hits + peer.hits;
    }

    /** Samples not found. */
    public long misses() {
      return local.misses + peer.misses;
    }
  }

  /**
   * What trainers of this node tell of themselves, added up; those that speak an older protocol
   * tell nothing.
   *
   * @param waitedSeconds of {@code seconds}, those that training loops waited for batches
   * @param seconds that training loops took in all
   * @param workerWaitedSeconds of {@code workerSeconds}, those that workers took to get batches
   * @param workerSeconds that workers were there for training
   * @param loads samples loaded from the origin
   * @param loadSeconds of them, of all threads together
   * @param savedLoadSeconds that hits would have taken to load, by the mean of the loads
   */
  public record Trainers(
      double waitedSeconds,
      double seconds,
      double workerWaitedSeconds,
      double workerSeconds,
      long loads,
      double loadSeconds,
      double savedLoadSeconds) {
    /** Of a data set that nobody has told anything about. */
    public static final Trainers NONE = new Trainers(0, 0, 0, 0, 0, 0, 0);

    Trainers plus(Trainers other) {
      return new Trainers(
          waitedSeconds + other.waitedSeconds,
          seconds + other.seconds,
          workerWaitedSeconds + other.workerWaitedSeconds,
          workerSeconds + other.workerSeconds,
          loads + other.loads,
          loadSeconds + other.loadSeconds,
          savedLoadSeconds + other.savedLoadSeconds);
    }
  }

  /**
   * Reads from one source.
   *
   * @param hits samples found
   * @param hitBytes bytes of their records
   * @param misses samples not found
   */
  public record Source(long hits, long hitBytes, long misses) {
    /** What no data set was read from. */
    public static final Source NONE = new Source(0, 0, 0);

    Source plus(Source other) {
      return new Source(hits + other.hits, hitBytes + other.hitBytes, misses + other.misses);
    }

    Source minus(Source other) {
      return new Source(hits - other.hits, hitBytes - other.hitBytes, misses - other.misses);
    }
  }
}
