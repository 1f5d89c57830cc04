package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.pagemem.PageIdUtils;
import org.apache.ignite.internal.pagemem.PageMemory;
import org.apache.ignite.internal.pagemem.PageUtils;
import org.apache.ignite.internal.processors.cache.CacheGroupContext;
import org.apache.ignite.internal.processors.cache.CacheObject;
import org.apache.ignite.internal.processors.cache.GridCacheContext;
import org.apache.ignite.internal.processors.cache.GridCacheGateway;
import org.apache.ignite.internal.processors.cache.IgniteInternalCache;
import org.apache.ignite.internal.processors.cache.KeyCacheObject;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtLocalPartition;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtPartitionState;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtPartitionTopology;
import org.apache.ignite.internal.processors.cache.persistence.CacheDataRow;
import org.apache.ignite.internal.processors.cache.persistence.CacheSearchRow;
import org.apache.ignite.internal.processors.cache.persistence.tree.BPlusTree;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.BPlusIO;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.DataPageIO;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.DataPagePayload;
import org.apache.ignite.internal.processors.cache.tree.RowLinkIO;
import org.apache.ignite.internal.processors.cache.tree.SearchRow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Copies records straight out of Ignite's pages. The only class that knows Ignite's internals,
 * those of 2.18.0.
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
 * catches everything, and trusts no length: what is odd is a miss.
 *
 * <h2>What lies in the pages</h2>
 *
 * <pre>
 * row on one page:   key length (4) type (1) key | value length (4) type (1) value | version | expiry (8)
 * row in fragments:  key length (4) type (1) key | expiry (8) | value length (4) type (1) value | version
 * </pre>
 *
 * preceded by the cache's id (4) in a cache group that stores it. Any fragment can end anywhere.
 */
final class PageReader implements RecordReader {
  private static final Logger LOG = LoggerFactory.getLogger(PageReader.class);

  private final GridCacheContext<?, ?> cache;
  private final CacheGroupContext group;
  private final GridCacheGateway<?, ?> gateway;
  private final GridDhtPartitionTopology topology;
  private final PageMemory pages;
  private final int groupId;
  private final int usablePageBytes;
  private final int searchCacheId;
  private final int rowPrefixBytes;

  /**
   * @throws IllegalArgumentException when the node has no such cache, or its region is persistent
   */
  PageReader(Ignite ignite, String cacheName) {
    IgniteInternalCache<?, ?> internal = ((IgniteEx) ignite).cachex(cacheName);
    if (internal == null) {
      throw new IllegalArgumentException("no cache " + cacheName + " on node " + ignite.name());
    }
    cache = internal.context();
    group = cache.group();
    if (group.persistenceEnabled()) {
      throw new IllegalArgumentException(
          "cache %s is persistent, pages can be read directly only in memory: use the public reader"
              .formatted(cacheName));
    }
    gateway = cache.gate();
    topology = group.topology();
    pages = group.dataRegion().pageMemory();
    groupId = group.groupId();
    usablePageBytes = pages.realPageSize(groupId);
    searchCacheId = group.sharedGroup() ? cache.cacheId() : 0;
    rowPrefixBytes = group.storeCacheIdInDataPage() ? Integer.BYTES : 0;
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    RowCopy copy = new RowCopy(sink);
    lookUp(key, copy);
    return copy.whole ? copy.recordLength : RecordStore.MISS;
  }

  @Override
  public boolean contains(SampleKey key) {
    RowVisit visit = new RowVisit();
    lookUp(key, visit);
    return visit.visited;
  }

  /** Lets {@code visit} see the row under {@code key}, if this node owns one. Never throws. */
  private void lookUp(SampleKey key, RowVisit visit) {
    try {
      if (!gateway.enterIfNotStopped()) {
        return;
      }
      try {
        KeyCacheObject keyObject = cache.toCacheKeyObject(key);
        GridDhtLocalPartition partition = topology.localPartition(keyObject.partition());
        if (partition == null || !partition.reserve()) {
          return;
        }
        try {
          if (partition.state() == GridDhtPartitionState.OWNING) {
            SearchRow wanted = new SearchRow(searchCacheId, keyObject);
            partition.dataStore().tree().findOne(wanted, visit, null);
          }
        } finally {
          partition.release();
        }
      } finally {
        gateway.leave();
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
  private static class RowVisit implements BPlusTree.TreeRowClosure<CacheSearchRow, CacheDataRow> {
    boolean visited;
    @Nullable Throwable failure;

    @Override
    public final boolean apply(
        BPlusTree<CacheSearchRow, CacheDataRow> tree,
        BPlusIO<CacheSearchRow> io,
        long pageAddress,
        int index) {
      visited = true;
      try {
        visit(((RowLinkIO) io).getLink(pageAddress, index));
      } catch (Throwable whateverItIs) {
        failure = whateverItIs;
      }
      return false; // The tree need not build a row of its own.
    }

    void visit(long link) throws IgniteCheckedException {}
  }

  /** Walks a row's fragments and hands the record's bytes to the sink. */
  private final class RowCopy extends RowVisit {
    private static final int LAST_LINK = 0;

    private final RecordSink sink;
    private int recordLength;
    private int bytesLeft;
    private boolean whole;

    /** Bytes to pass over before the next field, then which field that is. */
    private long skip = rowPrefixBytes;

    private Field field = Field.KEY_LENGTH;
    private int fieldBytes;
    private int fieldValue;

    RowCopy(RecordSink sink) {
      this.sink = sink;
    }

    @Override
    void visit(long firstLink) throws IgniteCheckedException {
      long link = firstLink;
      do {
        link = copyFragment(link, link == firstLink);
      } while (link != LAST_LINK && !whole);
    }

    /**
     * Returns the link of the next fragment; {@code LAST_LINK} also when there is nothing to do.
     */
    private long copyFragment(long link, boolean first) throws IgniteCheckedException {
      long pageId = PageIdUtils.pageId(link);
      long page = pages.acquirePage(groupId, pageId);
      try {
        long pageAddress = pages.readLock(groupId, pageId, page);
        if (pageAddress == 0) {
          throw new IllegalStateException("page " + Long.toHexString(pageId) + " was recycled");
        }
        try {
          DataPagePayload payload =
              DataPageIO.VERSIONS
                  .forPage(pageAddress)
                  .readPayload(pageAddress, PageIdUtils.itemId(link), usablePageBytes);
          int offset = payload.offset();
          int length = payload.payloadSize();
          if (offset <= 0 || length <= 0 || offset + length > usablePageBytes) {
            throw new IllegalStateException(
                "page %x holds %d bytes at %d, it has %d"
                    .formatted(pageId, length, offset, usablePageBytes));
          }
          boolean fragmented = !first || payload.nextLink() != LAST_LINK;
          return take(pageAddress + offset, length, fragmented) ? payload.nextLink() : LAST_LINK;
        } finally {
          pages.readUnlock(groupId, pageId, page);
        }
      } finally {
        pages.releasePage(groupId, pageId, page);
      }
    }

    /** Takes the row's next bytes; false when the rest is of no interest. */
    private boolean take(long address, int length, boolean fragmented) {
      long at = address;
      long end = address + length;
      while (at < end) {
        if (skip > 0) {
          long step = Math.min(skip, end - at);
          skip -= step;
          at += step;
        } else if (field == Field.VALUE) {
          int step = (int) Math.min(bytesLeft, end - at);
          sink.copy(at, step);
          bytesLeft -= step;
          whole = bytesLeft == 0;
          return !whole;
        } else if (!takeHeaderByte(PageUtils.getByte(at++, 0), fragmented)) {
          return false;
        }
      }
      return true;
    }

    private boolean takeHeaderByte(byte next, boolean fragmented) {
      fieldValue |= (next & 0xFF) << (Byte.SIZE * fieldBytes);
      if (++fieldBytes < field.bytes) {
        return true;
      }
      int value = fieldValue;
      fieldBytes = 0;
      fieldValue = 0;
      switch (field) {
        case KEY_LENGTH -> {
          skip = 1L + checkedLength(value) + (fragmented ? Long.BYTES : 0);
          field = Field.VALUE_LENGTH;
          return true;
        }
        case VALUE_LENGTH -> {
          recordLength = checkedLength(value);
          bytesLeft = value;
          field = Field.VALUE_TYPE;
          return true;
        }
        case VALUE_TYPE -> {
          field = Field.VALUE;
          boolean taken = value == CacheObject.TYPE_BYTE_ARR && sink.begin(recordLength);
          whole = taken && recordLength == 0;
          return taken && !whole;
        }
        default -> throw new IllegalStateException("no header field " + field);
      }
    }

    private int checkedLength(int length) {
      if (length < 0) {
        throw new IllegalStateException(field + " is " + length);
      }
      return length;
    }
  }

  /** The parts of a row the copy has to understand; the rest is passed over. */
  private enum Field {
    KEY_LENGTH(Integer.BYTES),
    VALUE_LENGTH(Integer.BYTES),
    VALUE_TYPE(1),
    VALUE(0);

    private final int bytes;

    Field(int bytes) {
      this.bytes = bytes;
    }
  }
}
