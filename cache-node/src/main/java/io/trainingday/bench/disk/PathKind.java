package io.trainingday.bench.disk;

/** The ways of keeping and reading samples that are compared. */
enum PathKind {
  MEMCPY("memcpy", Does.COPIES, "copies each sample from one large direct buffer"),
  RAW_WRITE("raw-write", Does.FILLS, "one file, written from start to end"),
  RAW_READ("raw-read", Does.READS, "the same file, read straight into the buffer, no index"),
  DISK_FILL("disk-fill", Does.FILLS, "a cache node's disk tier"),
  DISK_READ("disk-read", Does.READS, "a cache node's disk tier, key looked up, no checksum"),
  IGNITE_PUT(
      "ignite-put",
      Does.FILLS,
      "Ignite with native persistence, 16 KiB pages, LOG_ONLY, then deactivated, which writes the"
          + " pages to their files"),
  IGNITE_GET("ignite-get", Does.READS, "the same: get copies to the heap, then to the buffer"),
  LMDB_PUT("lmdb-put", Does.FILLS, "LMDB, a transaction each, NOSYNC, then synced; no checksum"),
  LMDB_GET("lmdb-get", Does.READS, "LMDB, copied from the mapped file to the buffer");

  /** What is done on it. */
  enum Does {
    COPIES,
    FILLS,
    READS
  }

  private final String text;
  private final Does verb;
  private final String how;

  PathKind(String text, Does verb, String how) {
    this.text = text;
    this.verb = verb;
    this.how = how;
  }

  Does verb() {
    return verb;
  }

  /** How it does it, for the table's footer. */
  String does() {
    return how;
  }

  /** The name in tables and reports. */
  @Override
  public String toString() {
    return text;
  }
}
