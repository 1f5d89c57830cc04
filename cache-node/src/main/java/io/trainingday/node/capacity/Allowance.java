package io.trainingday.node.capacity;

import org.jspecify.annotations.Nullable;

/**
 * What this node may still store on one other node. All numbers are pages, counted up since the two
 * met, so it does no harm when a message is lost, comes late or comes twice. Guarded by {@link
 * Admission}'s lock.
 *
 * <p>The other node raises the limit when asked, by no more than it keeps free for us from then on.
 * It counts a page as ours until we say that it is settled: that the write it was for is over, or
 * that we do not need it.
 */
final class Allowance {
  /** The least that is asked for ahead: a few records of usual size. */
  private static final long LEAST_AHEAD_PAGES = 64;

  /** So many turns without a write, and what is left is given back: others may want it. */
  private static final int IDLE_TURNS = 4;

  private final long mostAheadPages;

  private long limit;
  private long taken;
  private long settled;

  /** So many answers without anything gained, and evicting over there will not help. */
  private static final int PATIENCE_ANSWERS = 4;

  /** Pages of the records that had to be refused since the last question. */
  private long missed;

  private boolean missedEvicts;
  private boolean missedEntitled;
  private int answersInVain;

  private long takenWhenAsked;
  private long settledWhenAsked;
  private int idleTurns;
  private boolean asking;
  private boolean refused;

  /**
   * @param mostAheadPages the most that is asked for ahead; a record larger than that is refused
   */
  Allowance(long mostAheadPages) {
    this.mostAheadPages = mostAheadPages;
  }

  boolean has(long pages) {
    return taken + pages <= limit;
  }

  void take(long pages) {
    taken += pages;
  }

  /** Ends {@code pages} that were taken: what they were for is stored, or never will be. */
  void settle(long pages) {
    settled += pages;
  }

  /**
   * Notes that a record was refused for want of {@code pages}.
   *
   * @param evicts whether older records may be given up for it
   * @param entitled whether its data set has less than it was guaranteed
   */
  void miss(long pages, boolean evicts, boolean entitled) {
    missed += pages;
    missedEvicts |= evicts;
    missedEntitled |= entitled;
  }

  /** Whether the other node had less than was wanted when it was asked last. */
  boolean isRefused() {
    return refused;
  }

  /** Whether the other node has gained nothing for some time, though it may give up records. */
  boolean isStuck() {
    return answersInVain >= PATIENCE_ANSWERS;
  }

  /** Whether to ask now rather than at the next turn. */
  boolean isUrgent() {
    long used = taken - takenWhenAsked;
    return !asking && !refused && (missed > 0 || limit - taken < used / 2);
  }

  /** What to say in a regular turn, or null when there is nothing to say. */
  @Nullable RoomQuestion turn() {
    if (taken != takenWhenAsked || missed > 0) {
      idleTurns = 0;
      return ask();
    }
    if (limit > taken && ++idleTurns >= IDLE_TURNS) {
      settled += limit - taken;
      taken = limit;
    }
    return settled == settledWhenAsked ? null : question(0);
  }

  /** The question that gets room for twice of what was needed since the last one. */
  RoomQuestion ask() {
    long ahead = Math.max(2 * (taken - takenWhenAsked) + missed, LEAST_AHEAD_PAGES);
    return question(taken + Math.min(ahead, mostAheadPages));
  }

  private RoomQuestion question(long wanted) {
    takenWhenAsked = taken;
    settledWhenAsked = settled;
    RoomQuestion question = new RoomQuestion(settled, wanted, missedEvicts, missedEntitled);
    missed = 0;
    missedEvicts = false;
    missedEntitled = false;
    asking = wanted > 0;
    return question;
  }

  /** Takes the answer to {@code question}, which need not be the last one. */
  void answered(RoomQuestion question, long answeredLimit) {
    boolean gained = answeredLimit > limit;
    limit = Math.max(limit, answeredLimit);
    if (question.wanted() > 0) {
      answersInVain = gained || question.wanted() <= limit ? 0 : answersInVain + 1;
      asking = false;
      refused = question.wanted() > limit;
    }
  }
}
