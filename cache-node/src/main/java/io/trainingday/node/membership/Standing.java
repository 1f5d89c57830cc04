package io.trainingday.node.membership;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where one node stands in agreeing on the membership, by the nodes' names, immutable.
 *
 * @param view the nodes that discovery shows
 * @param formed the last membership known to have been formed; null while none is
 * @param attempts those that may have been formed since, with this node in them
 */
public record Standing(Nodes view, @Nullable Nodes formed, List<Nodes> attempts) {
  /**
   * Some nodes at one point of the grid's history.
   *
   * @param version later ones are larger; the same for all nodes
   */
  public record Nodes(long version, Set<String> names) {
    public Nodes {
      names = Set.copyOf(names);
    }

    static Nodes of(Membership membership) {
      return new Nodes(membership.version(), Set.copyOf(membership.nodes().values()));
    }
  }

  public Standing {
    attempts = List.copyOf(attempts);
  }

  static Standing of(Letter.Note note) {
    Membership known = note.formed();
    return new Standing(
        Nodes.of(note.view()),
        known == null ? null : Nodes.of(known),
        note.attempts().stream().map(Nodes::of).toList());
  }

  /** Whether the view is the membership. */
  public boolean isFormed() {
    return formed != null && formed.version() == view.version();
  }

  /** Whether this node has attempted the membership of this version, or knows of a later one. */
  public boolean knows(long version) {
    return (formed != null && formed.version() >= version)
        || attempts.stream().anyMatch(attempt -> attempt.version() >= version);
  }
}
