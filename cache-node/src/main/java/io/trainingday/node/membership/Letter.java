package io.trainingday.node.membership;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What nodes write each other about the membership. */
sealed interface Letter {
  /** Says where a node is in {@link Agreement}. */
  record Note(
      Membership view,
      boolean attempted,
      @Nullable Membership formed,
      List<Membership> attempts,
      long longestLeaseNanos)
      implements Letter {
    public Note {
      attempts = List.copyOf(attempts);
    }

    /** Whether the sender has taken the view for formed. */
    boolean isFormed() {
      return formed != null && formed.version() == view.version();
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
