package io.trainingday.node.store;

import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.internal.pagemem.PageIdUtils;
import org.apache.ignite.internal.pagemem.PageMemory;
import org.apache.ignite.internal.pagemem.PageUtils;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.DataPageIO;
import org.apache.ignite.internal.processors.cache.persistence.tree.io.DataPagePayload;

/**
 * Walks over the bytes of one row, page by page. Valid only while the lock of the tree's page that
 * names the row is held, see {@link PageReader}. Trusts no length that it finds.
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
abstract class RowWalk {
  private static final int LAST_LINK = 0;

  private enum Field {
    CACHE_ID,
    KEY_LENGTH,
    KEY_TYPE,
    KEY,
    EXPIRY,
    VALUE_LENGTH,
    VALUE_TYPE,
    VALUE
  }

  private final CacheInternals cache;

  /** The field the next byte belongs to, and how many bytes of it are still to come. */
  private Field field = Field.CACHE_ID;

  private int bytesLeft;

  /** What has been put together of a field that is a number. */
  private int number;

  private int numberBytes;

  private int length;
  private boolean fragmented;
  private boolean whole;

  RowWalk(CacheInternals cache) {
    this.cache = cache;
    bytesLeft = cache.rowPrefixBytes;
  }

  /** The key begins; {@code length} bytes of it follow. */
  void key(int type, int length) {}

  /** The next bytes of the key. */
  void keyBytes(long address, int length) {}

  /** The value begins; false to end the walk here. */
  abstract boolean value(int type, int length);

  /** The next bytes of the value. */
  void valueBytes(long address, int length) {}

  /** Whether the walk came to the value's end. */
  final boolean isWhole() {
    return whole;
  }

  /** Walks from the row's first page on. To be called once. */
  final void walk(long firstLink) throws IgniteCheckedException {
    if (bytesLeft == 0) {
      begin(Field.KEY_LENGTH, Integer.BYTES);
    }
    long link = firstLink;
    do {
      link = visit(link, link == firstLink);
    } while (link != LAST_LINK);
  }

  /** Returns the link of the next fragment; {@code LAST_LINK} also when there is nothing to do. */
  private long visit(long link, boolean first) throws IgniteCheckedException {
    PageMemory pages = cache.pages;
    int groupId = cache.groupId;
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
                .readPayload(pageAddress, PageIdUtils.itemId(link), cache.usablePageBytes);
        int offset = payload.offset();
        int size = payload.payloadSize();
        if (offset <= 0 || size <= 0 || offset + size > cache.usablePageBytes) {
          throw new IllegalStateException(
              "page %x holds %d bytes at %d, it has %d"
                  .formatted(pageId, size, offset, cache.usablePageBytes));
        }
        fragmented = !first || payload.nextLink() != LAST_LINK;
        return take(pageAddress + offset, size) ? payload.nextLink() : LAST_LINK;
      } finally {
        pages.readUnlock(groupId, pageId, page);
      }
    } finally {
      pages.releasePage(groupId, pageId, page);
    }
  }

  /** Takes the row's next bytes; false when the rest is of no interest. */
  private boolean take(long address, int count) {
    long at = address;
    long end = address + count;
    while (at < end) {
      int step = (int) Math.min(bytesLeft, end - at);
      switch (field) {
        case CACHE_ID, EXPIRY -> {}
        case KEY -> keyBytes(at, step);
        case VALUE -> valueBytes(at, step);
        case KEY_LENGTH, KEY_TYPE, VALUE_LENGTH, VALUE_TYPE -> takeNumber(at, step);
      }
      at += step;
      bytesLeft -= step;
      while (bytesLeft == 0) { // A field may have no bytes at all.
        if (!next()) {
          return false;
        }
      }
    }
    return true;
  }

  private void takeNumber(long address, int count) {
    for (int i = 0; i < count; i++) {
      number |= (PageUtils.getByte(address, i) & 0xFF) << (Byte.SIZE * numberBytes++);
    }
  }

  /** Ends a field and begins the next one; false when nothing that follows is of interest. */
  private boolean next() {
    switch (field) {
      case CACHE_ID -> begin(Field.KEY_LENGTH, Integer.BYTES);
      case KEY_LENGTH -> {
        length = checkedLength();
        begin(Field.KEY_TYPE, 1);
      }
      case KEY_TYPE -> {
        key(number, length);
        begin(Field.KEY, length);
      }
      case KEY -> begin(Field.EXPIRY, fragmented ? Long.BYTES : 0);
      case EXPIRY -> begin(Field.VALUE_LENGTH, Integer.BYTES);
      case VALUE_LENGTH -> {
        length = checkedLength();
        begin(Field.VALUE_TYPE, 1);
      }
      case VALUE_TYPE -> {
        if (!value(number, length)) {
          return false;
        }
        begin(Field.VALUE, length);
      }
      case VALUE -> {
        whole = true;
        return false;
      }
    }
    return true;
  }

  private void begin(Field next, int bytes) {
    field = next;
    bytesLeft = bytes;
    number = 0;
    numberBytes = 0;
  }

  private int checkedLength() {
    if (number < 0) {
      throw new IllegalStateException(field + " is " + number);
    }
    return number;
  }
}
