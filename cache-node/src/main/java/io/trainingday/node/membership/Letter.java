package io.trainingday.node.membership;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What nodes write each other about the membership. */
sealed interface Letter {
  /**
   * Says where a node is in {@link Agreement}.
   *
   * @param asks whether the sender wants to know where the reader is
   * @param longestLeaseNanos how long the serving lease of any node lasts that the sender knows of
   */
  record Note(
      boolean asks,
      Membership view,
      boolean attempted,
      @Nullable Membership formed,
      List<Membership> attempts,
      long longestLeaseNanos)
      implements Letter {
    public Note {
      attempts = List.copyOf(attempts);
    }

    Note asking() {
      return new Note(true, view, attempted, formed, attempts, longestLeaseNanos);
    }

    /** Whether the sender attempted the membership of this version, as far as it remembers. */
    boolean mayHaveFormed(long version) {
      return (formed != null && formed.version() >= version)
          || attempts.stream().anyMatch(attempt -> attempt.version() == version);
    }
  }

  /** Asks whether every read of a node that starts from now on sees a change. */
  record Question(long number, Change change) implements Letter {}

  /** Answers the question of that number. */
  record Answer(long number, boolean confirmed) implements Letter {}
}
