package io.trainingday.client;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.trainingday.lane.LaneMemory;
import java.lang.management.ManagementFactory;

/** Direct memory for batches and records: of one cache, or of all that the JVM has. */
final class DirectMemory {
  /** Of what there may be, so much is left to whoever else is in the JVM. */
  private static final int OTHERS_SHARE = 4;

  /** Of what a pool may have, so much is kept for the next batch at most. */
  private static final int IDLE_SHARE = 3;

  private DirectMemory() {}

  private static final class OfJvm {
    static final LaneMemory POOL = bounded(jvmBytes() / OTHERS_SHARE * (OTHERS_SHARE - 1));
  }

  /** What all caches share that were not given memory of their own. */
  static LaneMemory shared() {
    return OfJvm.POOL;
  }

  static LaneMemory bounded(long maxBytes) {
    return new LaneMemory(maxBytes, maxBytes / IDLE_SHARE);
  }

  /** What {@code -XX:MaxDirectMemorySize} says; unset, the JVM allows as much as of the heap. */
  private static long jvmBytes() {
    HotSpotDiagnosticMXBean options =
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    long set =
        options == null ? 0 : Long.parseLong(options.getVMOption("MaxDirectMemorySize").getValue());
    return set == 0 ? Runtime.getRuntime().maxMemory() : set;
  }
}
