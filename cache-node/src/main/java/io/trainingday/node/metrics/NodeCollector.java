package io.trainingday.node.metrics;

import io.prometheus.client.Collector;
import io.prometheus.client.CounterMetricFamily;
import io.prometheus.client.GaugeMetricFamily;
import io.prometheus.client.SummaryMetricFamily;
import io.trainingday.node.latency.Latency;
import io.trainingday.node.reload.ReloadStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Turns a node's figures into metrics at each scrape, so nothing is counted twice. */
final class NodeCollector extends Collector {
  private static final double MILLIS_PER_SECOND = 1e3;
  private static final double NANOS_PER_SECOND = 1e9;

  /** Data sets, and tenants, that have a name of their own. */
  private static final int MOST_NAMES = 100;

  private final ObservedNode node;
  private final BoundedNames names;

  NodeCollector(ObservedNode node) {
    this(node, MOST_NAMES);
  }

  NodeCollector(ObservedNode node, int mostNames) {
    this.node = node;
    this.names = new BoundedNames(mostNames);
  }

  @Override
  public List<MetricFamilySamples> collect() {
    NodeStats now = node.stats();
    List<MetricFamilySamples> families = new ArrayList<>();
    about(now, families);
    reload(now.reload(), families);
    certificates(now.certificateExpirySeconds(), families);
    memory(now.memory(), families);
    if (now.disk().maxBytes() > 0) {
      disk(now.disk(), families);
    }
    grid(now.grid(), families);
    lane(now.lane(), families);
    peers(now.peers(), families);
    fills(now.fills(), families);
    latencies(node.latencies(), families);
    List<NodeStats.Dataset> bounded = names.bounded(now.datasets());
    datasets(bounded, families);
    trainers(bounded, families);
    List<NodeStats.Tenant> connected = now.lane().tenants();
    Map<String, String> tenants =
        names.tenants(now.datasets(), connected.stream().map(NodeStats.Tenant::name).toList());
    tenants(now.datasets(), tenants, families);
    shares(connected, tenants, families);
    return families;
  }

  private static void about(NodeStats now, List<MetricFamilySamples> families) {
    families.add(
        new GaugeMetricFamily("training_day_build_info", "Always 1.", List.of("version", "host_id"))
            .addMetric(List.of(now.version(), now.hostId()), 1));
    families.add(
        gauge(
            "training_day_ready",
            "1 when a trainer may be sent here, else 0.",
            now.notReady().isEmpty() ? 1 : 0));
    families.add(
        new GaugeMetricFamily(
            "training_day_uptime_seconds",
            "Time since the node's start.",
            now.uptimeMillis() / MILLIS_PER_SECOND));
  }

  private static void reload(ReloadStats reload, List<MetricFamilySamples> families) {
    CounterMetricFamily reloads =
        new CounterMetricFamily(
            "training_day_settings_reloads_total",
            "Changes of the settings file, the tokens file and the certificates, by whether they were"
                + " taken over.",
            List.of("file", "result"));
    GaugeMetricFamily refused =
        new GaugeMetricFamily(
            "training_day_settings_refused_seconds",
            "For how long the file has been one that the node refuses; 0 when it is in force.",
            List.of("file"));
    Map<String, ReloadStats.Source> files =
        Map.of(
            "settings",
            reload.settings(),
            "tokens",
            reload.tokens(),
            "lane_tls",
            reload.laneTls(),
            "grid_tls",
            reload.gridTls());
    new TreeMap<>(files)
        .forEach(
            (file, source) -> {
              reloads.addMetric(List.of(file, "applied"), (double) source.applied());
              reloads.addMetric(List.of(file, "refused"), (double) source.refused());
              refused.addMetric(List.of(file), source.refusedMillis() / MILLIS_PER_SECOND);
            });
    families.add(reloads);
    families.add(refused);
    families.add(
        gauge(
            "training_day_settings_awaiting_restart",
            "Settings whose value in the file counts when the node is started again.",
            reload.restartNeeded().size()));
    families.add(
        gauge(
            "training_day_settings_not_in_force",
            "Settings of data sets in the file that differ from what the grid keeps.",
            reload.notInForce().size()));
  }

  private static void certificates(Map<String, Long> expiries, List<MetricFamilySamples> families) {
    families.add(
        gauges(
            "training_day_certificate_expiry_timestamp_seconds",
            "When the certificate in use ends, since 1970: of the lane over TCP, of Ignite's ports.",
            "port",
            expiries));
  }

  private static void grid(NodeStats.Grid grid, List<MetricFamilySamples> families) {
    families.add(
        gauge("training_day_grid_nodes", "Nodes of the grid, this one too.", grid.nodes().size()));
    families.add(
        gauge(
            "training_day_topology_version",
            "Grows with every change of nodes and primaries; equal where nodes agree.",
            grid.topologyVersion()));
    families.add(
        gauge(
            "training_day_primary_partitions",
            "Partitions that this node writes, of data sets without backups.",
            grid.primaries()));
    families.add(
        gauge(
            "training_day_arriving_partitions",
            "Partitions that this node is to hold and has not got all of yet.",
            grid.arriving()));
    families.add(
        counter(
            "training_day_rebalanced_records_total",
            "Records taken over from other nodes.",
            grid.arrivedRecords()));
    families.add(
        counter(
            "training_day_rebalanced_bytes_total",
            "Bytes of records taken over from other nodes.",
            grid.arrivedBytes()));
    families.add(
        counter(
            "training_day_rebalance_dropped_records_total",
            "Records that were to be taken over and did not fit.",
            grid.droppedRecords()));
    families.add(
        counter(
            "training_day_reclaimed_records_total",
            "Records dropped because nobody could reach them any more.",
            grid.reclaimedRecords()));
    families.add(
        counter(
            "training_day_reclaimed_bytes_total",
            "Bytes of records dropped because nobody could reach them any more.",
            grid.reclaimedBytes()));
    families.add(
        counters(
            "training_day_grid_refusals_total",
            "Connections to Ignite's ports that TLS refused, by reason.",
            "reason",
            grid.refusals()));
  }

  private static void memory(NodeStats.Memory memory, List<MetricFamilySamples> families) {
    families.add(
        gauge(
            "training_day_memory_used_bytes",
            "Off-heap memory in pages that hold something.",
            memory.usedBytes()));
    families.add(
        gauge("training_day_memory_max_bytes", "Off-heap memory for samples.", memory.maxBytes()));
    families.add(
        gauge(
            "training_day_memory_headroom_bytes",
            "The part of it that fills leave free.",
            memory.headroomBytes()));
    families.add(
        gauge(
            "training_day_memory_soft_cap_bytes",
            "What may be used of it now: less than all while the host or container is short.",
            memory.softCapBytes()));
    families.add(
        gauge(
            "training_day_admission_open",
            "0 once the node admits no more fills, whatever their size.",
            memory.closedReason().isEmpty() ? 1 : 0));
  }

  private static void disk(NodeStats.Disk disk, List<MetricFamilySamples> families) {
    families.add(
        gauge(
            "training_day_disk_used_bytes",
            "Bytes of all files of the disk tier.",
            disk.usedBytes()));
    families.add(gauge("training_day_disk_max_bytes", "The most they may be.", disk.maxBytes()));
    families.add(gauge("training_day_disk_records", "Records on disk.", disk.records()));
    families.add(
        gauge("training_day_disk_record_bytes", "Bytes of records on disk.", disk.recordBytes()));
    families.add(counter("training_day_disk_hits_total", "Records read from disk.", disk.hits()));
    families.add(
        counter(
            "training_day_disk_read_bytes_total",
            "Bytes of records read from disk.",
            disk.hitBytes()));
    families.add(
        counters(
            "training_day_disk_refusals_total",
            "Records that the disk tier did not take, by reason.",
            "reason",
            disk.refusals()));
    families.add(
        counter(
            "training_day_disk_damaged_records_total",
            "Records found damaged on disk; each was a miss and is loaded again.",
            disk.damaged()));
    families.add(
        counter(
            "training_day_disk_promoted_records_total",
            "Records taken into memory because they were read from disk.",
            disk.promoted()));
    families.add(
        counter(
            "training_day_disk_fetched_records_total",
            "Records that nodes which owned them before still had.",
            disk.fetched()));
    families.add(
        counter(
            "training_day_disk_reclaimed_records_total",
            "Records dropped from disk because nobody asks for them here any more.",
            disk.reclaimed()));
    families.add(
        counters(
            "training_day_disk_copies_total",
            "Records sent to the disks of other nodes, by what became of them.",
            "result",
            disk.copies()));
  }

  private static void lane(NodeStats.Lane lane, List<MetricFamilySamples> families) {
    families.add(
        gauge("training_day_lane_connections", "Connections open now.", lane.connections()));
    families.add(
        gauge("training_day_lane_max_connections", "Connections allowed.", lane.maxConnections()));
    families.add(
        gauge("training_day_slots_bytes", "Shared memory trainers hold now.", lane.slotsBytes()));
    families.add(
        gauge(
            "training_day_slots_max_bytes",
            "Shared memory trainers may hold.",
            lane.slotsMaxBytes()));
    families.add(
        counter(
            "training_day_inline_batches_total",
            "Batches sent through the socket for want of a slot.",
            lane.inlineBatches()));
    families.add(
        counters(
            "training_day_lane_refusals_total",
            "Connections, segments and requests refused, by reason.",
            "reason",
            lane.refusals()));
  }

  private static void peers(NodeStats.Peers peers, List<MetricFamilySamples> families) {
    families.add(
        counter(
            "training_day_peer_samples_served_total",
            "Records sent to other nodes.",
            peers.samplesServed()));
    families.add(
        counter(
            "training_day_peer_damaged_records_total",
            "Records that other nodes asked for and that were found damaged here.",
            peers.damaged()));
    families.add(
        counter(
            "training_day_peer_stale_records_total",
            "Records that other nodes asked for and that were too old, or of another stamp.",
            peers.stale()));
    families.add(
        counter(
            "training_day_peer_connections_broken_total",
            "Connections to other nodes that could not be made or broke; not counted again while the reason stays the same.",
            peers.broken()));
    families.add(
        counter(
            "training_day_peer_late_leases_total",
            "Leases that came when nobody waited for them any more, and were given back.",
            peers.lateLeases()));
    families.add(
        counter(
            "training_day_peer_reads_told_total",
            "Reads of copies here that the nodes which decide about them were told of.",
            peers.readsTold()));
    families.add(
        counter(
            "training_day_peer_reads_untold_total",
            "Reads of copies here that they were not told of, because there were too many.",
            peers.readsUntold()));
    families.add(
        counter(
            "training_day_peer_reads_heard_total",
            "Reads of copies elsewhere that this node was told of.",
            peers.readsHeard()));
  }

  private static void fills(NodeStats.Fills fills, List<MetricFamilySamples> families) {
    families.add(
        counters(
            "training_day_fills_total",
            "Records given by trainers, by what became of them.",
            "result",
            fills.results()));
    families.add(
        counter(
            "training_day_fill_written_bytes_total",
            "Bytes of records written.",
            fills.writtenBytes()));
    families.add(
        gauge(
            "training_day_fill_inflight_bytes",
            "Bytes of records taken and not written yet.",
            fills.inFlightBytes()));
    families.add(
        gauge(
            "training_day_fill_max_inflight_bytes",
            "Bytes of records that may be taken and not written yet.",
            fills.maxInFlightBytes()));
    families.add(gauge("training_day_leases", "Leases held now.", fills.leases()));
    families.add(
        counters(
            "training_day_leases_ended_total",
            "Leases that ended without a record.",
            "result",
            fills.leasesEnded()));
  }

  private static void latencies(NodeLatencies now, List<MetricFamilySamples> families) {
    List<MetricFamilySamples.Sample> batches = new ArrayList<>();
    String batch = "training_day_batch_seconds";
    new TreeMap<>(now.batches())
        .forEach(
            (source, latency) -> histogram(batch, List.of("source"), source, latency, batches));
    families.add(
        new MetricFamilySamples(
            batch,
            Type.HISTOGRAM,
            "Time from a batch's request to its answer, in the node and without waiting for others"
                + " to load; by the farthest source that the batch had a sample from.",
            batches));
    families.add(
        histogram(
            "training_day_fill_seconds",
            "Time from taking a record until it was written.",
            now.fills()));
    families.add(
        histogram(
            "training_day_peer_read_seconds",
            "Time until another node had answered a read that did not wait for loads.",
            now.peerReads()));
    families.add(
        histogram(
            "training_day_publish_seconds",
            "Time until a publish or an invalidation asked for here held on all nodes.",
            now.publishes()));
  }

  private static MetricFamilySamples histogram(String name, String help, Latency.Snapshot latency) {
    List<MetricFamilySamples.Sample> samples = new ArrayList<>();
    histogram(name, List.of(), "", latency, samples);
    return new MetricFamilySamples(name, Type.HISTOGRAM, help, samples);
  }

  private static void histogram(
      String name,
      List<String> label,
      String value,
      Latency.Snapshot latency,
      List<MetricFamilySamples.Sample> samples) {
    List<String> values = label.isEmpty() ? List.of() : List.of(value);
    List<String> bucketLabels = new ArrayList<>(label);
    bucketLabels.add("le");
    long upTo = 0;
    for (int bucket = 0; bucket < latency.counts().length; bucket++) {
      upTo += latency.counts()[bucket];
      List<String> bucketValues = new ArrayList<>(values);
      bucketValues.add(doubleToGoString(latency.mostSeconds(bucket)));
      samples.add(
          new MetricFamilySamples.Sample(
              name + "_bucket", bucketLabels, bucketValues, (double) upTo));
    }
    samples.add(new MetricFamilySamples.Sample(name + "_count", label, values, (double) upTo));
    samples.add(
        new MetricFamilySamples.Sample(
            name + "_sum", label, values, latency.nanos() / NANOS_PER_SECOND));
  }

  private static void trainers(
      List<NodeStats.Dataset> datasets, List<MetricFamilySamples> families) {
    CounterMetricFamily waited =
        new CounterMetricFamily(
            "training_day_trainer_wait_seconds_total",
            "Time spent waiting for batches, as trainers tell: by training loops, or by worker"
                + " processes that read for them.",
            List.of("dataset", "where"));
    CounterMetricFamily all =
        new CounterMetricFamily(
            "training_day_trainer_seconds_total",
            "Time that training loops took in all, or that worker processes were there for them.",
            List.of("dataset", "where"));
    SummaryMetricFamily loads =
        new SummaryMetricFamily(
            "training_day_origin_load_seconds",
            "Time that samples took to load from the origin, as trainers tell, of all threads"
                + " together.",
            List.of("dataset"));
    CounterMetricFamily saved =
        new CounterMetricFamily(
            "training_day_saved_load_seconds_total",
            "Time that hits would have taken to load, by the mean of the loads.",
            List.of("dataset"));
    for (NodeStats.Dataset dataset : datasets) {
      String name = dataset.scopedName();
      NodeStats.Trainers told = dataset.trainers();
      waited.addMetric(List.of(name, "loop"), told.waitedSeconds());
      waited.addMetric(List.of(name, "worker"), told.workerWaitedSeconds());
      all.addMetric(List.of(name, "loop"), told.seconds());
      all.addMetric(List.of(name, "worker"), told.workerSeconds());
      loads.addMetric(List.of(name), (double) told.loads(), told.loadSeconds());
      saved.addMetric(List.of(name), told.savedLoadSeconds());
    }
    families.add(waited);
    families.add(all);
    families.add(loads);
    families.add(saved);
  }

  private static void tenants(
      List<NodeStats.Dataset> datasets,
      Map<String, String> names,
      List<MetricFamilySamples> families) {
    Map<String, Double> counts = new TreeMap<>();
    Map<String, Double> bytes = new TreeMap<>();
    Map<String, Double> saved = new TreeMap<>();
    for (NodeStats.Dataset dataset : datasets) {
      String tenant = names.getOrDefault(dataset.tenant(), BoundedNames.OTHER);
      counts.merge(tenant, 1.0, Double::sum);
      bytes.merge(tenant, (double) dataset.bytes(), Double::sum);
      saved.merge(tenant, dataset.trainers().savedLoadSeconds(), Double::sum);
    }
    families.add(
        gauges(
            "training_day_tenant_datasets",
            "Data sets that were opened or are held here.",
            "tenant",
            counts));
    families.add(
        gauges("training_day_tenant_bytes", "Bytes of records held here.", "tenant", bytes));
    families.add(
        counters(
            "training_day_tenant_saved_load_seconds_total",
            "Time that hits would have taken to load, by the mean of the loads of each data set.",
            "tenant",
            saved));
  }

  private static void shares(
      List<NodeStats.Tenant> connected,
      Map<String, String> names,
      List<MetricFamilySamples> families) {
    Map<String, Double> connections = new TreeMap<>();
    Map<String, Double> slots = new TreeMap<>();
    for (NodeStats.Tenant one : connected) {
      String tenant = names.getOrDefault(one.name(), BoundedNames.OTHER);
      connections.merge(tenant, (double) one.connections(), Double::sum);
      slots.merge(tenant, (double) one.slotsBytes(), Double::sum);
    }
    families.add(
        gauges("training_day_tenant_connections", "Connections open now.", "tenant", connections));
    families.add(
        gauges(
            "training_day_tenant_slots_bytes",
            "Shared memory its trainers hold now.",
            "tenant",
            slots));
  }

  private static void datasets(
      List<NodeStats.Dataset> datasets, List<MetricFamilySamples> families) {
    CounterMetricFamily reads =
        new CounterMetricFamily(
            "training_day_reads_total",
            "Samples asked for, by where they came from or would have come from. Beside that, as the"
                + " origin's, samples that trainers were left to load, and leases they gave back.",
            List.of("dataset", "source", "result"));
    CounterMetricFamily bytes =
        new CounterMetricFamily(
            "training_day_read_bytes_total",
            "Bytes of records read.",
            List.of("dataset", "source"));
    CounterMetricFamily damaged =
        new CounterMetricFamily(
            "training_day_damaged_records_total",
            "Records whose checksum or layout was wrong; each was a miss and is loaded again.",
            List.of("dataset"));
    CounterMetricFamily stale =
        new CounterMetricFamily(
            "training_day_stale_records_total",
            "Records that were too old, or whose source has another stamp; each was a miss and is"
                + " loaded again.",
            List.of("dataset"));
    GaugeMetricFamily generations =
        new GaugeMetricFamily(
            "training_day_dataset_generation",
            "The generation that is current.",
            List.of("dataset"));
    GaugeMetricFamily entries =
        new GaugeMetricFamily(
            "training_day_dataset_entries", "Records held here.", List.of("dataset", "policy"));
    GaugeMetricFamily held =
        new GaugeMetricFamily(
            "training_day_dataset_bytes", "Bytes of records held here.", List.of("dataset"));
    GaugeMetricFamily budgets =
        new GaugeMetricFamily(
            "training_day_dataset_budget_bytes",
            "Bytes of records it may have here now.",
            List.of("dataset"));
    GaugeMetricFamily best =
        new GaugeMetricFamily(
            "training_day_dataset_best_hit_rate",
            "The most that a shuffled pass can find with this budget, 0 to 1.",
            List.of("dataset"));
    CounterMetricFamily refusals =
        new CounterMetricFamily(
            "training_day_dataset_refusals_total",
            "Records not taken, by reason.",
            List.of("dataset", "reason"));
    CounterMetricFamily evictions =
        new CounterMetricFamily(
            "training_day_dataset_evictions_total",
            "Records given up for others.",
            List.of("dataset"));
    for (NodeStats.Dataset dataset : datasets) {
      List<String> name = List.of(dataset.scopedName());
      entries.addMetric(
          List.of(dataset.scopedName(), dataset.policy()), (double) dataset.entries());
      held.addMetric(name, (double) dataset.bytes());
      budgets.addMetric(name, (double) dataset.budgetBytes());
      if (dataset.bestHitRate() != null) {
        best.addMetric(name, dataset.bestHitRate());
      }
      new TreeMap<>(dataset.refusals())
          .forEach(
              (reason, count) ->
                  refusals.addMetric(List.of(dataset.scopedName(), reason), count.doubleValue()));
      evictions.addMetric(name, (double) dataset.evictions());
    }
    for (NodeStats.Dataset dataset : datasets) {
      source(dataset.scopedName(), "local", dataset.local().minus(dataset.disk()), reads, bytes);
      reads.addMetric(List.of(dataset.scopedName(), "disk", "hit"), (double) dataset.disk().hits());
      bytes.addMetric(List.of(dataset.scopedName(), "disk"), (double) dataset.disk().hitBytes());
      source(dataset.scopedName(), "peer", dataset.peer(), reads, bytes);
      reads.addMetric(List.of(dataset.scopedName(), "origin", "hit"), (double) dataset.loads());
      reads.addMetric(
          List.of(dataset.scopedName(), "origin", "miss"), (double) dataset.abandoned());
      damaged.addMetric(List.of(dataset.scopedName()), (double) dataset.damaged());
      stale.addMetric(List.of(dataset.scopedName()), (double) dataset.stale());
      if (!dataset.scopedName().equals(BoundedNames.OTHER)) {
        generations.addMetric(List.of(dataset.scopedName()), (double) dataset.generation());
      }
    }
    families.add(reads);
    families.add(bytes);
    families.add(damaged);
    families.add(stale);
    families.add(generations);
    families.add(entries);
    families.add(held);
    families.add(budgets);
    families.add(best);
    families.add(refusals);
    families.add(evictions);
  }

  private static void source(
      String dataset,
      String name,
      NodeStats.Source source,
      CounterMetricFamily reads,
      CounterMetricFamily bytes) {
    reads.addMetric(List.of(dataset, name, "hit"), (double) source.hits());
    reads.addMetric(List.of(dataset, name, "miss"), (double) source.misses());
    bytes.addMetric(List.of(dataset, name), (double) source.hitBytes());
  }

  private static GaugeMetricFamily gauge(String name, String help, long value) {
    return new GaugeMetricFamily(name, help, (double) value);
  }

  private static CounterMetricFamily counter(String name, String help, long value) {
    return new CounterMetricFamily(name, help, (double) value);
  }

  private static CounterMetricFamily counters(
      String name, String help, String label, Map<String, ? extends Number> counts) {
    CounterMetricFamily family = new CounterMetricFamily(name, help, List.of(label));
    new TreeMap<>(counts)
        .forEach((value, count) -> family.addMetric(List.of(value), count.doubleValue()));
    return family;
  }

  private static GaugeMetricFamily gauges(
      String name, String help, String label, Map<String, ? extends Number> values) {
    GaugeMetricFamily family = new GaugeMetricFamily(name, help, List.of(label));
    new TreeMap<>(values)
        .forEach((value, number) -> family.addMetric(List.of(value), number.doubleValue()));
    return family;
  }
}
