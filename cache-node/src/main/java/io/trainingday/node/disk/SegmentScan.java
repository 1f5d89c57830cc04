package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes through the entries of a segment. Behind a header that is damaged, or that the disk does not
 * give, it goes on with the next sound one that starts at a multiple of 64. For one thread.
 */
final class SegmentScan {
  private static final Logger LOG = LoggerFactory.getLogger(SegmentScan.class);

  /** An entry by its header; the record may be damaged. */
  record Entry(SampleKey key, Location location) {}

  /**
   * The operating system gives all of a page or nothing, and a disk may try for seconds before it
   * gives nothing: what else is in the page is not asked for.
   */
  private static final int PAGE = 4 << 10;

  private static final int UNREADABLE = -1;

  private final Segment segment;
  private final ByteBuffer window;
  private long windowStart;
  private int windowLength;
  private long position;
  private boolean searching;

  /** Up to here something cannot be read: page by page the rest can. */
  private long pagesUntil;

  private long unreadableBytes;

  /**
   * @param window is used while the scan is
   */
  SegmentScan(Segment segment, ByteBuffer window) {
    this.segment = segment;
    this.window = window;
  }

  /** The next entry, null at the end. */
  @Nullable Entry next() throws IOException {
    long end = segment.size();
    while (position + EntryHeader.LENGTH <= end) {
      int at = show(end);
      if (at == UNREADABLE) {
        long behind = Math.min(pageEnd(), end);
        unreadableBytes += behind - position;
        position = behind;
        searching = true;
        continue;
      }
      SampleKey key = EntryHeader.key(window, at);
      if (key != null) {
        int recordLength = EntryHeader.recordLength(window, at);
        long start = position;
        if (start + EntryHeader.entryBytes(recordLength) <= end) {
          position += EntryHeader.entryBytes(recordLength);
          searching = false;
          return new Entry(key, new Location(segment.number(), start, recordLength));
        }
      }
      position += EntryHeader.LENGTH;
      searching = true;
    }
    return null;
  }

  /** Bytes of pages that the disk did not give, from the first header looked for in each. */
  long unreadableBytes() {
    return unreadableBytes;
  }

  private long pageEnd() {
    return position - position % PAGE + PAGE;
  }

  /**
   * Reads the header at the position, and what follows only where it is looked for.
   *
   * @return where it is in the window, or {@link #UNREADABLE}
   */
  private int show(long end) throws IOException {
    if (position >= windowStart && position + EntryHeader.LENGTH <= windowStart + windowLength) {
      return (int) (position - windowStart);
    }
    if (searching && position >= pagesUntil) {
      long much = Math.min(window.capacity(), end - position);
      if (load(much)) {
        return 0;
      }
      pagesUntil = position + much;
    }
    return load(searching ? Math.min(pageEnd(), end) - position : EntryHeader.LENGTH)
        ? 0
        : UNREADABLE;
  }

  private boolean load(long length) throws IOException {
    windowStart = position;
    windowLength = 0;
    window.clear().limit((int) length);
    try {
      if (!segment.read(window, windowStart)) {
        return false; // The file is shorter than it was when it was written.
      }
    } catch (Segment.UnreadableException failure) {
      LOG.debug("not read", failure);
      return false;
    }
    windowLength = (int) length;
    window.clear();
    return true;
  }
}
