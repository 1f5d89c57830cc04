package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import java.time.Duration;

/** What the lane allows, in the units of the protocol. */
record LaneLimits(
    int maxConnections,
    int maxRequestsInFlight,
    int maxFrameBytes,
    int maxRecordBytes,
    int answerTimeoutMillis,
    int leaseTimeoutMillis,
    int greetingTimeoutMillis,
    long maxSegmentBytes,
    String hostId) {
  private static final int MIN_GREETING_MILLIS = 1_000;

  static LaneLimits of(Settings settings) {
    Settings.Lane lane = settings.lane();
    return new LaneLimits(
        lane.maxConnections(),
        lane.maxRequestsInFlight(),
        Math.toIntExact(lane.maxFrameSize().bytes()),
        Math.toIntExact(lane.maxRecordSize().bytes()),
        millis(lane.answerTimeout()),
        millis(settings.fill().leaseTimeout()),
        Math.max(MIN_GREETING_MILLIS, 2 * millis(lane.answerTimeout())),
        lane.slots().maxBytesPerConnection().bytes(),
        settings.grid().resolvedHostId());
  }

  private static int millis(Duration duration) {
    return Math.toIntExact(duration.toMillis());
  }
}
