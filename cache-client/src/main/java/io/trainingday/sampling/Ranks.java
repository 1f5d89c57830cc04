package io.trainingday.sampling;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The hosts that ranks run on, in the order of their lowest rank, and what each of them owns.
 * Immutable.
 */
final class Ranks {
  private final OwnershipSnapshot snapshot;
  private final List<String> rankHosts;
  private final List<String> hosts;

  /** By rank: the place of its host among the hosts. */
  private final int[] hostOf;

  /** By rank: its place among the ranks of its host. */
  private final int[] placeOf;

  /** By host: its ranks, ascending. */
  private final int[][] ranksOn;

  /** By copy and partition: the place of the host of that copy, −1 where no rank is on it. */
  private final int[][] owners;

  Ranks(OwnershipSnapshot snapshot, List<String> rankHosts) {
    this.snapshot = snapshot;
    this.rankHosts = List.copyOf(rankHosts);
    int world = rankHosts.size();
    Map<String, List<Integer>> byHost = new LinkedHashMap<>();
    for (int rank = 0; rank < world; rank++) {
      byHost.computeIfAbsent(rankHosts.get(rank), host -> new ArrayList<>()).add(rank);
    }
    hosts = List.copyOf(byHost.keySet());
    hostOf = new int[world];
    placeOf = new int[world];
    ranksOn =
        byHost.values().stream()
            .map(ranks -> ranks.stream().mapToInt(Integer::intValue).toArray())
            .toArray(int[][]::new);
    for (int host = 0; host < ranksOn.length; host++) {
      for (int place = 0; place < ranksOn[host].length; place++) {
        hostOf[ranksOn[host][place]] = host;
        placeOf[ranksOn[host][place]] = place;
      }
    }
    owners = owners();
  }

  private int[][] owners() {
    int[] ours = new int[snapshot.hosts().size()];
    for (int host = 0; host < ours.length; host++) {
      ours[host] = hosts.indexOf(snapshot.hosts().get(host));
    }
    int[][] table = new int[snapshot.maxCopies()][snapshot.partitions()];
    for (int copy = 0; copy < table.length; copy++) {
      for (int p = 0; p < table[copy].length; p++) {
        int host = snapshot.host(p, copy);
        table[copy][p] = host < 0 ? -1 : ours[host];
      }
    }
    return table;
  }

  int world() {
    return hostOf.length;
  }

  int hosts() {
    return ranksOn.length;
  }

  String host(int host) {
    return hosts.get(host);
  }

  int hostOf(int rank) {
    return hostOf[rank];
  }

  int placeOf(int rank) {
    return placeOf[rank];
  }

  int[] ranksOn(int host) {
    return ranksOn[host];
  }

  int partitions() {
    return snapshot.partitions();
  }

  int partitionOf(long index) {
    return OwnershipSnapshot.partitionOf(index, partitions());
  }

  int copies() {
    return owners.length;
  }

  /** The place of the host with that copy of a partition, −1 if no rank is on it. */
  int owner(int partition, int copy) {
    return owners[copy][partition];
  }

  boolean holds(int host, int partition) {
    for (int[] level : owners) {
      if (level[partition] == host) {
        return true;
      }
    }
    return false;
  }

  /** What part of the partitions has its primary on a host. */
  double primaryShare(int host) {
    int own = 0;
    for (int owner : owners[0]) {
      own += owner == host ? 1 : 0;
    }
    return (double) own / partitions();
  }

  /** What part of the partitions has a copy on a host. */
  double copyShare(int host) {
    int own = 0;
    for (int p = 0; p < partitions(); p++) {
      own += holds(host, p) ? 1 : 0;
    }
    return (double) own / partitions();
  }

  /** A number that tells these ranks and their ownership from others. */
  long digest() {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    u32(text, world());
    for (String host : rankHosts) {
      byte[] bytes = OwnershipSnapshot.utf8(host);
      u32(text, bytes.length);
      text.writeBytes(bytes);
    }
    return OwnershipSnapshot.digest(snapshot.toBytes(), text.toByteArray());
  }

  private static void u32(ByteArrayOutputStream out, int value) {
    for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
      out.write(value >>> shift);
    }
  }
}
