package io.trainingday.grid;

/** What each node of the grid tells the others of itself: names of Ignite's node attributes. */
public final class NodeAttributes {
  /** The host it runs on, text. */
  public static final String HOST_ID = "training-day.hostId";

  /** The failure domain of that host, text; absent if none is set. */
  public static final String ZONE = "training-day.zone";

  /** Its memory for samples, a {@code Long}. */
  public static final String BUDGET_BYTES = "training-day.budgetBytes";

  /** {@code HOST:PORT} of its lane over TCP, text; absent without one. */
  public static final String LANE = "training-day.lane";

  /**
   * What it kept on disk of the grid it was in, a {@code byte[]}: empty if nothing; absent without
   * a disk tier.
   */
  public static final String KEPT = "training-day.kept";

  /** The newest format of records it reads, an {@code Integer}; absent: 1. */
  public static final String RECORD_FORMAT = "training-day.recordFormat";

  /** What this release reads. */
  static final int OWN_RECORD_FORMAT = 2;

  private NodeAttributes() {}
}
