package io.trainingday.node.capacity;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.OperatingSystemMXBean;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Adds up what a node's process may take, before it starts: the heap and direct memory as the JVM
 * was started, shared memory for batches, the version keys, a reserve for all the rest, and the
 * samples.
 *
 * <p>Where the process is in a container with a limit, the sum must be within it: whoever is over
 * it is killed, and not at the start. Without a limit, a size that somebody set is theirs to answer
 * for, and memory is taken only as it is used.
 *
 * <p>Netty's buffers are part of direct memory: on JDK 17 it allocates through the JVM, which
 * bounds it, unless {@code io.netty.tryReflectionSetAccessible} is set. Slots are what the lane
 * charges.
 */
public final class MemoryPlan {
  /** Threads, code, classes, the system's own buffers. */
  private static final long LEAST_RESERVE_BYTES = 256L << 20;

  private static final int SHARE_OF_RESERVE = 20;

  /** Ignite's regions beside ours: the default one and the system's. */
  private static final long OTHER_REGIONS_BYTES = 128L << 20;

  private static final long STEP_BYTES = 1L << 20;

  /** The least that memory.maxSize may be. */
  private static final long LEAST_BYTES = 64L << 20;

  /**
   * What there is.
   *
   * @param limitBytes of the container; empty without one
   * @param freeBytes of the host now
   * @param heapBytes that the JVM may take
   * @param directBytes that the JVM may take beside it
   */
  record Found(OptionalLong limitBytes, long freeBytes, long heapBytes, long directBytes) {}

  private MemoryPlan() {}

  /**
   * The settings with {@code memory.maxSize} worked out where it is {@code auto}, and checked
   * against the container's limit.
   *
   * @throws SettingsException with the arithmetic, when it does not fit
   */
  public static Settings resolve(Settings settings) {
    return resolve(settings, find());
  }

  /** Why the container's limit would not do for these settings; empty where it would or is none. */
  public static Optional<String> problem(Settings settings) {
    return problem(settings, find());
  }

  static Optional<String> problem(Settings settings, Found found) {
    if (found.limitBytes().isEmpty()) {
      // Of what the host has free, a node that runs has taken its part already.
      return Optional.empty();
    }
    try {
      Settings unused = resolve(settings, found);
      return Optional.empty();
    } catch (SettingsException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  static Settings resolve(Settings settings, Found found) {
    Settings.Memory memory = settings.memory();
    if (!memory.isAuto() && found.limitBytes().isEmpty()) {
      return settings;
    }
    long all = found.limitBytes().orElse(found.freeBytes());
    String what =
        found.limitBytes().isPresent() ? "the container's limit" : "the host's free memory";
    long slots = settings.lane().slots().maxBytes().bytes();
    long reserve = Math.max(LEAST_RESERVE_BYTES, all / SHARE_OF_RESERVE);
    long others =
        found.heapBytes()
            + found.directBytes()
            + slots
            + memory.metaMaxSize().bytes()
            + OTHER_REGIONS_BYTES
            + reserve;
    long left = (all - others) / STEP_BYTES * STEP_BYTES;
    String sum =
        "%s=%s - heap=%s - direct memory=%s - lane.slots.maxBytes=%s - memory.metaMaxSize=%s - Ignite's own regions=%s - reserve=%s = %s"
            .formatted(
                what,
                size(all),
                size(found.heapBytes()),
                size(found.directBytes()),
                size(slots),
                memory.metaMaxSize(),
                size(OTHER_REGIONS_BYTES),
                size(reserve),
                left < 0 ? "-" + size(-left) : size(left));
    if (memory.isAuto()) {
      if (left < LEAST_BYTES) {
        throw refusal("auto", "at least %s left, but %s".formatted(size(LEAST_BYTES), sum));
      }
      return settings.with(SettingKey.MEMORY_MAX_SIZE, DataSize.ofBytes(left));
    }
    if (memory.maxSize().bytes() > left) {
      throw refusal(memory.maxSize().toString(), "<= " + sum);
    }
    return settings;
  }

  private static SettingsException refusal(String value, String arithmetic) {
    return new SettingsException(
        "settings",
        List.of(
            new Problem(
                SettingKey.MEMORY_MAX_SIZE.name(),
                value,
                arithmetic,
                "raise the limit, or lower -Xmx, -XX:MaxDirectMemorySize, lane.slots.maxBytes or"
                    + " memory.maxSize")));
  }

  private static String size(long bytes) {
    return DataSize.ofMiB(bytes >> 20).toString();
  }

  /** The limit of this process' container, if it has one. */
  static OptionalLong containerLimit() {
    long ofContainer = system().getTotalMemorySize();
    long ofHost = hostBytes();
    return ofHost > 0 && ofContainer < ofHost ? OptionalLong.of(ofContainer) : OptionalLong.empty();
  }

  /** Memory of the host; 0 where nobody says. */
  static long hostBytes() {
    return HostLimits.here().total().orElse(0);
  }

  private static Found find() {
    long heap = Runtime.getRuntime().maxMemory();
    String set =
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
            .getVMOption("MaxDirectMemorySize")
            .getValue();
    // Unset, the JVM allows as much as of the heap.
    long direct = set.equals("0") ? heap : Long.parseLong(set);
    return new Found(
        containerLimit(),
        HostLimits.here().available().orElse(system().getFreeMemorySize()),
        heap,
        direct);
  }

  private static OperatingSystemMXBean system() {
    return (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  }
}
