package io.trainingday.node.recovery;

import java.util.Set;

/** What those who are there may do with what they kept. */
public sealed interface Verdict {
  /** Nobody has kept anything: a new grid. */
  record Nothing() implements Verdict {}

  /**
   * There may be newer version keys elsewhere.
   *
   * @param reason for people, what is missing
   */
  record Waiting(String reason) implements Verdict {}

  /**
   * What the sources kept together holds every publish that returned.
   *
   * @param life whose version keys they are
   * @param nextTerm of the life to begin
   * @param ancestors lineages that the life's lineage has replaced
   * @param sources names of nodes
   */
  record Restore(Life life, long nextTerm, Set<Long> ancestors, Set<String> sources)
      implements Verdict {}
}
