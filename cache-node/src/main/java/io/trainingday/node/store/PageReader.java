package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.internal.processors.cache.CacheObject;
import org.apache.ignite.internal.processors.cache.KeyCacheObject;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtLocalPartition;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtPartitionState;
import org.apache.ignite.internal.processors.cache.persistence.CacheDataRow;
import org.apache.ignite.internal.processors.cache.persistence.CacheSearchRow;
import org.apache.ignite.internal.processors.cache.persistence.tree.BPlusTree;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.BPlusIO;
import org.apache.ignite.internal.processors.cache.tree.RowLinkIO;
import org.apache.ignite.internal.processors.cache.tree.SearchRow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies records straight out of Ignite's pages.
 *
 * <h2>What keeps the memory valid</h2>
 *
 * Page memory is freed when the node stops and pages are reused when a partition is cleared or a
 * record removed. Against the first, the caller holds the store's {@link ReadGate}, and this class
 * enters the cache's own gate. Against the second, the partition is reserved, which only an owned
 * one allows us to use. Against the third, everything happens inside the tree's look-up: a record
 * is taken out of the tree under the write lock of the page whose read lock we then hold, and its
 * pages are freed after that.
 *
 * <h2>Nothing may leave the look-up's closure</h2>
 *
 * Ignite takes an exception out of it for a corrupted tree and stops the node. So {@link RowVisit}
 * catches everything: what is odd is a miss.
 */
final class PageReader implements RecordReader {
  private static final Logger LOG = LoggerFactory.getLogger(PageReader.class);

  private final CacheInternals cache;

  PageReader(CacheInternals cache) {
    this.cache = cache;
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    RowCopy copy = new RowCopy(cache, sink);
    lookUp(key, new RowVisit(copy));
    return copy.isWhole() ? copy.recordLength : RecordStore.MISS;
  }

  @Override
  public boolean contains(SampleKey key) {
    RowVisit visit = new RowVisit(null);
    lookUp(key, visit);
    return visit.visited;
  }

  /** Lets {@code visit} see the row under {@code key}, if this node owns one. Never throws. */
  private void lookUp(SampleKey key, RowVisit visit) {
    try {
      if (!cache.gateway.enterIfNotStopped()) {
        return;
      }
      try {
        KeyCacheObject keyObject = cache.cache.toCacheKeyObject(key);
        GridDhtLocalPartition partition = cache.topology.localPartition(keyObject.partition());
        if (partition == null || !partition.reserve()) {
          return;
        }
        try {
          if (partition.state() == GridDhtPartitionState.OWNING) {
            SearchRow wanted = new SearchRow(cache.searchCacheId, keyObject);
            partition.dataStore().tree().findOne(wanted, visit, null);
          }
        } finally {
          partition.release();
        }
      } finally {
        cache.gateway.leave();
      }
    } catch (IgniteCheckedException | RuntimeException | AssertionError failure) {
      visit.failure = failure;
    }
    if (visit.failure != null) {
      LOG.warn("could not read {}, taken for a miss: {}", key, visit.failure.toString());
      LOG.debug("why {} could not be read", key, visit.failure);
    }
  }

  /** What the tree calls with the row it found, under the lock of the page that names it. */
  private static final class RowVisit
      implements BPlusTree.TreeRowClosure<CacheSearchRow, CacheDataRow> {
    private final @Nullable RowWalk walk;
    private boolean visited;
    private @Nullable Throwable failure;

    RowVisit(@Nullable RowWalk walk) {
      this.walk = walk;
    }

    @Override
    public boolean apply(
        BPlusTree<CacheSearchRow, CacheDataRow> tree,
        BPlusIO<CacheSearchRow> io,
        long pageAddress,
        int index) {
      visited = true;
      try {
        if (walk != null) {
          walk.walk(((RowLinkIO) io).getLink(pageAddress, index));
        }
      } catch (Throwable whateverItIs) {
        failure = whateverItIs;
      }
      return false; // The tree need not build a row of its own.
    }
  }

  /** Hands the record's bytes to the sink. */
  private static final class RowCopy extends RowWalk {
    private final RecordSink sink;
    private int recordLength;

    RowCopy(CacheInternals cache, RecordSink sink) {
      super(cache);
      this.sink = sink;
    }

    @Override
    boolean value(int type, int length) {
      recordLength = length;
      return type == CacheObject.TYPE_BYTE_ARR && sink.begin(length);
    }

    @Override
    void valueBytes(long address, int length) {
      sink.copy(address, length);
    }
  }
}
