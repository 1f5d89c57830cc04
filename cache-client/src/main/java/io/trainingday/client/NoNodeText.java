package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneException;
import org.jspecify.annotations.Nullable;

/** What a person is told, and told to do, where no node answers, or one refuses. */
final class NoNodeText {
  /** As the kernel has it, in an exception's message. */
  private static final String DENIED = "Permission denied";

  private NoNodeText() {}

  /**
   * One line.
   *
   * @param why what connecting failed with; null when nobody tried
   */
  static String of(LaneAddress address, @Nullable Exception why) {
    if (why instanceof LaneException) {
      return "the cache node at %s refuses: %s".formatted(address, why.getMessage());
    }
    String reason = why == null ? "" : String.valueOf(why.getMessage());
    return "no cache node answers at %s (%s)%s%s; %s"
        .formatted(
            address,
            address.source(),
            reason.isEmpty() ? "" : ": ",
            reason,
            reason.contains(DENIED)
                ? "uid %s may not write to that socket: take that of your tenant, or have the group of its directory"
                    .formatted(LaneAddress.userId())
                : "start one with `training-day serve`, or set %s to where it is"
                    .formatted(LaneAddress.VARIABLE));
  }
}
