package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Goes through the entries of a segment. Behind a damaged header it goes on with the next sound one
 * that starts at a multiple of 64. For one thread.
 */
final class SegmentScan {
  /** An entry by its header; the record may be damaged. */
  record Entry(SampleKey key, Location location) {}

  private final Segment segment;
  private final ByteBuffer window;
  private long windowStart;
  private int windowLength;
  private long position;
  private boolean searching;

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

  /** Reads the header at the position, and what follows only where it is looked for. */
  private int show(long end) throws IOException {
    if (position < windowStart || position + EntryHeader.LENGTH > windowStart + windowLength) {
      windowStart = position;
      windowLength =
          (int) Math.min(searching ? window.capacity() : EntryHeader.LENGTH, end - position);
      window.clear().limit(windowLength);
      if (!segment.read(window, windowStart)) {
        throw new IOException(
            "segment %d is shorter than its %d bytes".formatted(segment.number(), end));
      }
      window.clear();
    }
    return (int) (position - windowStart);
  }
}
