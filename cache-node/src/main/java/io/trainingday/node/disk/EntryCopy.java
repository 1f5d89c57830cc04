package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Copies records from segments to sinks. */
final class EntryCopy {
  private static final Logger LOG = LoggerFactory.getLogger(EntryCopy.class);

  /** How a copy ended. */
  enum Result {
    COPIED,
    /** The sink would not have it, or failed, or the segment went while it was read. */
    VOID,
    /** The segment went before the sink was asked; the record may be elsewhere now. */
    GONE,
    /** What is there is not this record. */
    DAMAGED
  }

  private final Staging staging;

  EntryCopy(Staging staging) {
    this.staging = staging;
  }

  /** Copies one record. The record's own checksum is left to the reader. */
  Result copy(SampleKey key, Segment segment, Location location, RecordSink sink) {
    Staging.Piece piece = staging.take();
    try {
      return copy(key, segment, location, sink, piece);
    } catch (IOException unreadable) {
      LOG.debug("{} cannot be read", key, unreadable);
      return Result.DAMAGED;
    } catch (Throwable sinkFailure) {
      LOG.warn("could not read {}, taken for a miss: {}", key, sinkFailure.toString());
      LOG.debug("why {} could not be read", key, sinkFailure);
      return Result.VOID;
    } finally {
      staging.free(piece);
    }
  }

  private static Result copy(
      SampleKey key, Segment segment, Location location, RecordSink sink, Staging.Piece piece)
      throws IOException {
    int recordLength = location.recordLength();
    long length = EntryHeader.LENGTH + (long) recordLength;
    boolean begun = false;
    try {
      for (long done = 0; done < length; ) {
        int next = (int) Math.min(Staging.BYTES, length - done);
        if (!segment.read(piece.bytes.clear().limit(next), location.offset() + done)) {
          return Result.DAMAGED;
        }
        int start = begun ? 0 : EntryHeader.LENGTH;
        if (!begun) {
          if (!EntryHeader.matches(piece.bytes, 0, key, recordLength)) {
            return Result.DAMAGED;
          }
          if (!sink.begin(recordLength)) {
            return Result.VOID;
          }
          begun = true;
        }
        if (next > start) {
          sink.copy(piece.address + start, next - start);
        }
        done += next;
      }
      return Result.COPIED;
    } catch (ClosedChannelException deleted) {
      return begun ? Result.VOID : Result.GONE;
    }
  }
}
