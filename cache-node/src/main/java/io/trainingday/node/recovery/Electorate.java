package io.trainingday.node.recovery;

import java.util.Set;
import java.util.TreeSet;

/**
 * A membership by the names of its nodes, which outlive their processes.
 *
 * @param version within its life; later ones are larger
 */
public record Electorate(Life life, long version, Set<String> nodes) {
  public Electorate {
    nodes = Set.copyOf(nodes);
  }

  @Override
  public String toString() {
    return new TreeSet<>(nodes).toString();
  }
}
