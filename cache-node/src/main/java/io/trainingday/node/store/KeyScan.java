package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.List;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.internal.processors.cache.KeyCacheObject;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtLocalPartition;
import org.apache.ignite.internal.processors.cache.persistence.CacheDataRow;
import org.apache.ignite.internal.processors.cache.persistence.CacheDataRowAdapter;
import org.apache.ignite.internal.processors.cache.persistence.CacheSearchRow;
import org.apache.ignite.internal.processors.cache.persistence.tree.BPlusTree;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.BPlusIO;
import org.apache.ignite.internal.processors.cache.tree.RowLinkIO;
import org.apache.ignite.internal.processors.cache.tree.SearchRow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lists the keys of one partition, in the order of the tree, without reading their records.
 *
 * <p>{@link PageReader} says what keeps the memory valid and why nothing may be thrown inside the
 * tree. In addition: while keys are collected, the lock of a leaf of the tree is held, on which
 * writers wait, and behind a waiting writer readers do. Hence few keys at a time. Between two
 * chunks nothing is held, and the next one goes on behind the last key seen: every key that is
 * there all the time is listed exactly once, one that comes or goes at most once.
 *
 * <p>For one thread.
 */
final class KeyScan {
  /** About 0.1 ms under the lock. */
  private static final int CHUNK_KEYS = 64;

  private static final Logger LOG = LoggerFactory.getLogger(KeyScan.class);

  /** A record without its bytes. */
  record Listed(SampleKey key, int recordBytes) {}

  private record Row(KeyCacheObject key, int recordBytes) {}

  private final CacheInternals cache;
  private final int partition;
  private @Nullable KeyCacheObject last;

  KeyScan(CacheInternals cache, int partition) {
    this.cache = cache;
    this.partition = partition;
  }

  /**
   * The next keys, or none at the end and when this node does not hold the partition (any more).
   * Never throws. What is no sample is passed over.
   */
  List<Listed> next() {
    List<Listed> listed = new ArrayList<>(CHUNK_KEYS);
    while (listed.isEmpty()) {
      List<Row> rows = nextRows();
      if (rows.isEmpty()) {
        return List.of();
      }
      last = rows.get(rows.size() - 1).key();
      for (Row row : rows) {
        SampleKey key = sampleKey(row.key());
        if (key != null) {
          listed.add(new Listed(key, row.recordBytes()));
        }
      }
    }
    return listed;
  }

  private @Nullable SampleKey sampleKey(KeyCacheObject key) {
    try {
      // Declared a sample's key, but whatever was put comes back.
      Object value = key.value(cache.cache.cacheObjectContext(), false);
      return value instanceof SampleKey sampleKey ? sampleKey : null;
    } catch (RuntimeException foreign) {
      LOG.debug("a key in partition {} that is no sample's", partition, foreign);
      return null;
    }
  }

  private List<Row> nextRows() {
    Chunk chunk = new Chunk();
    try {
      if (!cache.gateway.enterIfNotStopped()) {
        return List.of();
      }
      try {
        GridDhtLocalPartition local = cache.topology.localPartition(partition);
        if (local == null || !local.reserve()) {
          return List.of();
        }
        try {
          collect(local, chunk);
          return chunk.rows();
        } finally {
          local.release();
        }
      } finally {
        cache.gateway.leave();
      }
    } catch (IgniteCheckedException | RuntimeException | AssertionError failure) {
      LOG.warn("could not list partition {}, what is left of it is skipped", partition, failure);
      return List.of();
    }
  }

  private void collect(GridDhtLocalPartition local, Chunk chunk) throws IgniteCheckedException {
    SearchRow behind = last == null ? null : new SearchRow(cache.searchCacheId, last);
    var cursor = local.dataStore().tree().find(behind, null, false, true, chunk, null, null);
    if (chunk.links == 0) {
      // The last key seen ended its leaf: look into the next one.
      boolean unused = cursor.next();
    }
  }

  /** What the tree calls with each row of a leaf, under the lock of that leaf. */
  private final class Chunk implements BPlusTree.TreeRowClosure<CacheSearchRow, CacheDataRow> {
    private final List<KeyWalk> walks = new ArrayList<>(CHUNK_KEYS);
    private int links;
    private @Nullable Throwable failure;

    /** True ends the cursor's search for a row: when the chunk is full, and with the leaf. */
    @Override
    public boolean apply(
        BPlusTree<CacheSearchRow, CacheDataRow> tree,
        BPlusIO<CacheSearchRow> io,
        long pageAddress,
        int index) {
      if (links == CHUNK_KEYS || failure != null) {
        return false; // The cursor goes on to the leaf's end, with nothing to do.
      }
      links++;
      try {
        KeyWalk walk = new KeyWalk(cache);
        walk.walk(((RowLinkIO) io).getLink(pageAddress, index));
        walks.add(walk);
        return links == CHUNK_KEYS || index == io.getCount(pageAddress) - 1;
      } catch (Throwable whateverItIs) {
        failure = whateverItIs;
        return true;
      }
    }

    /** Something else than null, so that the cursor reads no row by itself. */
    @Override
    public CacheDataRow lastRow() {
      return new CacheDataRowAdapter(0L);
    }

    List<Row> rows() throws IgniteCheckedException {
      if (failure != null) {
        throw new IllegalStateException("a row that cannot be read", failure);
      }
      List<Row> rows = new ArrayList<>(walks.size());
      for (KeyWalk walk : walks) {
        rows.add(walk.row(partition));
      }
      return rows;
    }
  }

  /** Keeps the key's bytes and the record's length. */
  private static final class KeyWalk extends RowWalk {
    private static final int LONGEST_KEY = 1 << 16;

    private final CacheInternals cache;
    private byte type;
    private byte[] bytes = {};
    private int filled;
    private int recordBytes;

    KeyWalk(CacheInternals cache) {
      super(cache);
      this.cache = cache;
    }

    @Override
    void key(int keyType, int length) {
      if (length > LONGEST_KEY) {
        throw new IllegalStateException("a key of " + length + " bytes");
      }
      type = (byte) keyType;
      bytes = new byte[length];
    }

    @Override
    void keyBytes(long address, int length) {
      NativeMemory.copy(address, bytes, filled, length);
      filled += length;
    }

    @Override
    boolean value(int valueType, int length) {
      recordBytes = length;
      return false;
    }

    Row row(int partition) throws IgniteCheckedException {
      KeyCacheObject key =
          cache
              .cache
              .kernalContext()
              .cacheObjects()
              .toKeyCacheObject(cache.cache.cacheObjectContext(), type, bytes);
      key.partition(partition);
      return new Row(key, recordBytes);
    }
  }
}
