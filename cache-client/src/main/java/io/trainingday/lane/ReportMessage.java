package io.trainingday.lane;

import java.nio.ByteBuffer;

/**
 * What a trainer did with a data set since it reported last, for its node's metrics.
 *
 * @param handle of the data set
 * @param inWorker whether it is about a worker process that reads for a training loop, else about
 *     the training loop
 * @param waitedNanos of {@code activeNanos}, those spent waiting for batches
 * @param activeNanos that the training loop, or the worker, took in all
 * @param loads samples loaded from the origin
 * @param loadNanos these took, added up over all threads
 */
public record ReportMessage(
    int handle, boolean inWorker, long waitedNanos, long activeNanos, long loads, long loadNanos)
    implements LaneMessage {
  /** The most of each figure in one report. */
  public static final long MOST = 1_000_000_000_000_000L;

  public static final int TYPE = 50;
  private static final int BYTES = 40;

  @Override
  public int type() {
    return TYPE;
  }

  @Override
  public ByteBuffer frame(long requestId) {
    return new BodyWriter(BYTES)
        .u32(handle)
        .u8(inWorker ? 1 : 0)
        .u8(0)
        .u16(0)
        .i64(waitedNanos)
        .i64(activeNanos)
        .i64(loads)
        .i64(loadNanos)
        .frame(type(), requestId, 0);
  }

  static ReportMessage read(Body body) {
    int handle = body.u32();
    int where = body.u8();
    if (where > 1) {
      throw body.malformed("where=" + where + ", allowed: 0, 1");
    }
    body.zeros(3);
    ReportMessage report =
        new ReportMessage(
            handle,
            where == 1,
            figure(body, "waitedNanos"),
            figure(body, "activeNanos"),
            figure(body, "loads"),
            figure(body, "loadNanos"));
    if (report.waitedNanos > report.activeNanos) {
      throw body.malformed(
          "waitedNanos=" + report.waitedNanos + " > activeNanos=" + report.activeNanos);
    }
    return report;
  }

  private static long figure(Body body, String field) {
    long value = body.u63(field);
    if (value > MOST) {
      throw body.malformed(field + "=" + value + " > " + MOST);
    }
    return value;
  }
}
