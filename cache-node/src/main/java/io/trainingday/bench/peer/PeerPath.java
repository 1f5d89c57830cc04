package io.trainingday.bench.peer;

import java.nio.file.Path;
import java.util.Optional;

/** The ways of reading from another process that are compared, and what each one does. */
enum PeerPath {
  RAW_TCP(
      "raw-tcp",
      "one request over a plain socket; the other process writes the samples from its memory, they"
          + " are received into the buffer: the limit for one connection"),
  LANE_TCP(
      "lane-tcp",
      "a trainer asks its own node over a Unix socket; that one asks the other node over TCP and"
          + " lays the batch out as one array in shared memory, where it is read in place; checksums"
          + " verified"),
  LANE_TLS("lane-tls", "the same, TLS 1.3 between the nodes"),
  IGNITE_GET_ALL(
      "ignite-getAll",
      "plain Ignite cache on another server node, 16 KiB pages: getAll, then to the buffer"),
  REDIS_MGET("redis-mget", "Redis through Jedis: MGET, then to the buffer"),
  HAZELCAST_GET_ALL(
      "hazelcast-getAll", "Hazelcast map on another member, defaults: getAll, then to the buffer");

  private final String text;
  private final String does;

  PeerPath(String text, String does) {
    this.text = text;
    this.does = does;
  }

  /** The certificate its nodes show each other, if they do. */
  Optional<Tls> tls(Path directory) {
    return this == LANE_TLS ? Optional.of(Tls.in(directory)) : Optional.empty();
  }

  /** What it does with a batch, for the table's footer. */
  String does() {
    return does;
  }

  /** The name in tables and reports. */
  @Override
  public String toString() {
    return text;
  }
}
