package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What came back of one round of pings. Pure; one call at a time.
 *
 * <p>A round grants the serving lease, counted from when its pings were sent, once a majority of
 * every electorate has accepted; this node accepts itself. With {@link SmallGrids#SERVE} and an
 * electorate of at most two, it is enough that the other node does not refuse: silence may be its
 * death, and then somebody must serve. A refusal is none: the other one has seen this node fail.
 */
final class LeaseRound {
  /** What became of one ping. */
  enum Answer {
    ACCEPTED,
    /** The other node has seen this one fail or leave. */
    REFUSED,
    /** No answer in time. */
    SILENT
  }

  private final long sentNanos;
  private final Map<UUID, Answer> answers = new HashMap<>();

  LeaseRound(long sentNanos) {
    this.sentNanos = sentNanos;
  }

  long sentNanos() {
    return sentNanos;
  }

  void answered(UUID node, Answer answer) {
    answers.put(node, answer);
  }

  boolean hasAnswerOf(UUID node) {
    return answers.containsKey(node);
  }

  /**
   * @param view who could be pinged
   * @param electorates as they are now, not as they were when the pings were sent
   */
  boolean grants(UUID self, Membership view, List<Membership> electorates, SmallGrids smallGrids) {
    if (electorates.isEmpty()) {
      return false;
    }
    for (Membership electorate : electorates) {
      boolean enough =
          isSmall(electorate, smallGrids)
              ? nobodyRefuses(self, view, electorate)
              : 2 * accepted(self, electorate) > electorate.size();
      if (!enough) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether the other node of a grid of two has refused. It was in a view with this node, so it has
   * seen it fail: this node is out of the grid for good, and silence says nothing any more.
   */
  boolean isExpelled(List<Membership> electorates, SmallGrids smallGrids) {
    return electorates.stream()
        .filter(electorate -> isSmall(electorate, smallGrids))
        .flatMap(electorate -> electorate.ids().stream())
        .anyMatch(node -> answers.get(node) == Answer.REFUSED);
  }

  private static boolean isSmall(Membership electorate, SmallGrids smallGrids) {
    return smallGrids == SmallGrids.SERVE && electorate.size() <= 2;
  }

  private int accepted(UUID self, Membership electorate) {
    int accepted = 0;
    for (UUID node : electorate.ids()) {
      accepted += node.equals(self) || answers.get(node) == Answer.ACCEPTED ? 1 : 0;
    }
    return accepted;
  }

  private boolean nobodyRefuses(UUID self, Membership view, Membership electorate) {
    for (UUID node : electorate.ids()) {
      if (!node.equals(self) && view.contains(node)) {
        Answer answer = answers.get(node);
        if (answer == null || answer == Answer.REFUSED) {
          return false;
        }
      }
    }
    return true;
  }
}
