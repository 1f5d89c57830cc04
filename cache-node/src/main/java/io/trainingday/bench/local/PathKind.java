package io.trainingday.bench.local;

/** The ways of reading samples that are compared, and what each one does and copies. */
enum PathKind {
  MEMCPY("memcpy", "copies each sample from one large direct buffer: the limit for one thread"),
  LANE_COLLATED(
      "lane-collated",
      "asks a cache node over its Unix socket; the node verifies each checksum and lays the batch"
          + " out as one array in shared memory, where it is read in place"),
  LANE_RECORDS(
      "lane-records",
      "the same, but each sample whole with its header, read in place; checksums verified"),
  PAGE_READER(
      "page-reader",
      "the node's reader alone, in process: Ignite's pages straight to the buffer, one copy, no"
          + " checksum"),
  PUBLIC_READER(
      "public-reader",
      "the node's other reader alone, in process: Ignite's localPeek copies to the heap, then to the"
          + " buffer, no checksum"),
  IGNITE_GET_ALL(
      "ignite-getAll",
      "plain Ignite cache in process, 16 KiB pages: getAll (get for one) copies to the heap, then to"
          + " the buffer"),
  THIN_GET_ALL(
      "thin-getAll",
      "Ignite's Java thin client over loopback TCP, defaults: getAll (get for one), then to the"
          + " buffer"),
  HEAP_MAP("heap-map", "HashMap of byte arrays on the heap, one copy to the buffer"),
  REDIS_MGET(
      "redis-mget",
      "Redis over loopback TCP through Jedis: MGET (GET for one), then to the buffer");

  private final String text;
  private final String does;

  PathKind(String text, String does) {
    this.text = text;
    this.does = does;
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
