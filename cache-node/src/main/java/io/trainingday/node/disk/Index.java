package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.IndexType;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Slice;
import org.rocksdb.Status;
import org.rocksdb.WriteOptions;

/**
 * Which entry holds the record of a key: a RocksDB of keys and {@link Location}s.
 *
 * <p>Any thread may call any method, but none may be inside while it is closed.
 *
 * <h2>How it is set</h2>
 *
 * <ul>
 *   <li>Its log is on and not synced with each write: what was written survives the process, which
 *       is what {@code kill -9} takes, and 46 + 16 bytes for 150 KB are not to be seen in the
 *       throughput. A machine that loses power loses what came since the last {@link #sync}.
 *   <li>Checksums are verified: the blocks are small and mostly in the cache already.
 *   <li>Tables hold 62 bytes a record and are not compressed; a filter of 10 bits a key answers for
 *       most keys that are not there.
 *   <li>Buffer, log, tables and manifest are small beside the budget, and nothing is preallocated,
 *       so that files are as long as what is in them.
 * </ul>
 */
final class Index implements AutoCloseable {
  private static final int FILTER_BITS = 10;
  private static final int CACHE_SHARD_BITS = 2;
  private static final int WRITE_BUFFERS = 3;
  private static final int BACKGROUND_JOBS = 2;
  private static final int MANIFEST_SHARE = 8;
  private static final long INFO_LOG_BYTES = 64L << 10;

  /** What a write adds to the log, about, until files are measured again. */
  static final int BYTES_PER_WRITE = 96;

  /** A key and where its record is. */
  static final class Named {
    private final byte[] key;
    private final Location location;

    Named(byte[] key, Location location) {
      this.key = key;
      this.location = location;
    }

    byte[] key() {
      return key;
    }

    Location location() {
      return location;
    }
  }

  /**
   * The files' lengths.
   *
   * @param all of them
   * @param tables those that merging may need room for once more
   */
  record FileBytes(long all, long tables) {}

  private final Path directory;
  private final Cache cache;
  private final BloomFilter filter;
  private final Options options;
  private final WriteOptions writeOptions;
  private final RocksDB db;

  private Index(
      Path directory,
      Cache cache,
      BloomFilter filter,
      Options options,
      WriteOptions writeOptions,
      RocksDB db) {
    this.directory = directory;
    this.cache = cache;
    this.filter = filter;
    this.options = options;
    this.writeOptions = writeOptions;
    this.db = db;
  }

  /**
   * @throws IOException when it cannot be opened: damaged, or no space to open it with
   */
  static Index open(Path directory, Sizes sizes) throws IOException {
    Files.createDirectories(directory);
    Cache cache = new LRUCache(sizes.indexCache(), CACHE_SHARD_BITS);
    BloomFilter filter = new BloomFilter(FILTER_BITS);
    Options options = options(sizes, cache, filter);
    WriteOptions writeOptions = new WriteOptions();
    try {
      RocksDB db = RocksDB.open(options, directory.toString());
      return new Index(directory, cache, filter, options, writeOptions, db);
    } catch (RocksDBException failure) {
      writeOptions.close();
      options.close();
      filter.close();
      cache.close();
      throw failed("opened", directory, failure);
    }
  }

  private static Options options(Sizes sizes, Cache cache, BloomFilter filter) {
    return new Options()
        .setCreateIfMissing(true)
        .setCompressionType(CompressionType.NO_COMPRESSION)
        .setWriteBufferSize(sizes.indexBuffer())
        .setMaxWriteBufferNumber(WRITE_BUFFERS)
        .setMaxTotalWalSize(2 * sizes.indexBuffer())
        .setMaxBackgroundJobs(BACKGROUND_JOBS)
        .setTargetFileSizeBase(sizes.indexBuffer())
        .setMaxBytesForLevelBase(4 * sizes.indexBuffer())
        .setMaxManifestFileSize(Math.max(64L << 10, sizes.indexBuffer() / MANIFEST_SHARE))
        .setAllowFAllocate(false)
        .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
        .setMaxLogFileSize(INFO_LOG_BYTES)
        .setKeepLogFileNum(2)
        .setTableFormatConfig(
            new BlockBasedTableConfig()
                .setBlockCache(cache)
                .setCacheIndexAndFilterBlocks(true)
                .setIndexType(IndexType.kTwoLevelIndexSearch)
                .setPartitionFilters(true)
                .setPinL0FilterAndIndexBlocksInCache(true)
                .setFilterPolicy(filter));
  }

  /** Where the record of a key is; null when there is none. */
  @Nullable Location get(byte[] key) throws IOException {
    byte[] value = new byte[Location.LENGTH];
    try {
      int length = db.get(key, value);
      if (length == RocksDB.NOT_FOUND) {
        return null;
      }
      if (length != Location.LENGTH) {
        throw new IOException("index %s holds %d bytes for a key".formatted(directory, length));
      }
      return Location.decode(value);
    } catch (RocksDBException failure) {
      throw failed("read", directory, failure);
    }
  }

  void put(byte[] key, Location location) throws IOException {
    try {
      db.put(writeOptions, key, location.encode());
    } catch (RocksDBException failure) {
      throw failed("written", directory, failure);
    }
  }

  void delete(byte[] key) throws IOException {
    try {
      db.delete(writeOptions, key);
    } catch (RocksDBException failure) {
      throw failed("written", directory, failure);
    }
  }

  /**
   * The first keys from {@code from} to before {@code to}.
   *
   * @param to empty for no end
   * @param most so many at a time
   */
  List<Named> list(byte[] from, byte[] to, int most) throws IOException {
    List<Named> named = new ArrayList<>();
    try (Slice end = new Slice(to);
        ReadOptions bounded = new ReadOptions();
        RocksIterator at = db.newIterator(to.length == 0 ? bounded : below(bounded, end))) {
      at.seek(from);
      while (named.size() < most && at.isValid()) {
        named.add(new Named(at.key(), Location.decode(at.value())));
        at.next();
      }
      at.status();
      return named;
    } catch (RocksDBException failure) {
      throw failed("read", directory, failure);
    }
  }

  private static ReadOptions below(ReadOptions options, Slice end) {
    return options.setIterateUpperBound(end);
  }

  /** Waits until everything written so far is on the disk itself. */
  void sync() throws IOException {
    try {
      db.syncWal();
    } catch (RocksDBException failure) {
      throw failed("written", directory, failure);
    }
  }

  /** Measures the files. */
  FileBytes fileBytes() throws IOException {
    return fileBytes(directory);
  }

  private static FileBytes fileBytes(Path directory) throws IOException {
    long all = 0;
    long tables = 0;
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        long bytes = file.toFile().length(); // 0 of one that RocksDB deleted meanwhile.
        all += bytes;
        tables += file.toString().endsWith(".sst") ? bytes : 0;
      }
    }
    return new FileBytes(all, tables);
  }

  private static IOException failed(String what, Path directory, RocksDBException failure) {
    String message = "index %s cannot be %s: %s".formatted(directory, what, failure.getMessage());
    Status status = failure.getStatus();
    return status != null && status.getCode() == Status.Code.Corruption
        ? new DamagedException(message, failure)
        : new IOException(message, failure);
  }

  /** Files that say something they cannot say: only a new index helps. */
  static final class DamagedException extends IOException {
    private static final long serialVersionUID = 1L;

    DamagedException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  @Override
  public void close() {
    db.close();
    writeOptions.close();
    options.close();
    filter.close();
    cache.close();
  }
}
