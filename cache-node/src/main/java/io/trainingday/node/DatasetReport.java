package io.trainingday.node;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.lane.LaneStats;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.policy.Advice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/** Puts together what the lane and the memory of a node know of its data sets. */
final class DatasetReport {
  private DatasetReport() {}

  static List<NodeStats.Dataset> of(
      String host,
      List<LaneStats.Reads> reads,
      List<Capacity.Share> shares,
      List<Capacity.Use> uses) {
    Map<String, Capacity.Share> sharesByName = new HashMap<>();
    shares.forEach(share -> sharesByName.put(share.terms().name(), share));
    SortedMap<String, LaneStats.Reads> readsByName = new TreeMap<>();
    reads.forEach(read -> readsByName.put(read.dataset(), read));
    for (Capacity.Share share : shares) {
      String name = share.terms().name();
      if (!name.isEmpty() && share.records() > 0) {
        readsByName.computeIfAbsent(name, DatasetReport::unread);
      }
    }
    List<NodeStats.Dataset> all = new ArrayList<>();
    readsByName.forEach((name, read) -> all.add(of(host, read, sharesByName.get(name), uses)));
    return all;
  }

  private static LaneStats.Reads unread(String name) {
    LaneStats.Source none = new LaneStats.Source(0, 0, 0);
    return new LaneStats.Reads(name, 0, none, none, 0, 0, 0, 0, 0, 0);
  }

  private static NodeStats.Dataset of(
      String host, LaneStats.Reads reads, Capacity.@Nullable Share share, List<Capacity.Use> uses) {
    int slash = reads.dataset().indexOf('/');
    String name = reads.dataset().substring(slash + 1);
    Policy policy = share == null ? Policy.PIN : share.terms().policy();
    Tier tier = share == null ? Tier.MEMORY : share.terms().tier();
    // What the disk may hold beside the memory is not known here.
    Double best = share == null || tier != Tier.MEMORY ? null : share.bestHitRate();
    long records = 0;
    long bytes = 0;
    if (share != null) {
      records = share.records();
      bytes = share.bytes();
      if (tier != Tier.MEMORY) {
        records = sum(uses, share.dataset(), Capacity.Use::records);
        bytes = sum(uses, share.dataset(), Capacity.Use::bytes);
      }
    }
    Map<String, Long> refusals = new HashMap<>();
    if (share != null) {
      share
          .refusals()
          .forEach((reason, count) -> refusals.put(reason.name().toLowerCase(Locale.ROOT), count));
    }
    return new NodeStats.Dataset(
        reads.dataset().substring(0, Math.max(0, slash)),
        name,
        host,
        SettingKey.DATASET_TIER.format(tier),
        SettingKey.DATASET_POLICY.format(policy),
        reads.generation(),
        source(reads.local()),
        source(reads.peer()),
        reads.loads(),
        reads.abandoned(),
        reads.damaged(),
        reads.stale(),
        records,
        bytes,
        share == null ? 0 : share.budgetBytes(),
        reads.recentSamples() == 0 ? 0 : (double) reads.recentHits() / reads.recentSamples(),
        best,
        refusals,
        share == null ? 0 : share.evictions(),
        best == null ? List.of() : Advice.on(name, policy, best));
  }

  private static long sum(
      List<Capacity.Use> uses, long dataset, ToLongFunction<Capacity.Use> what) {
    return uses.stream().filter(use -> use.dataset() == dataset).mapToLong(what).sum();
  }

  private static NodeStats.Source source(LaneStats.Source source) {
    return new NodeStats.Source(source.hits(), source.hitBytes(), source.misses());
  }
}
