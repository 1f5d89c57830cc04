package io.trainingday.client;

import io.trainingday.sampling.OwnershipSnapshot;
import java.util.List;

/**
 * What the ranks of an epoch have agreed on: who owns what, and where each of them runs.
 *
 * @param snapshot the same on all ranks
 * @param rankHosts by rank the id of its host; empty where it is not known
 */
public record EpochOwnership(OwnershipSnapshot snapshot, List<String> rankHosts) {
  public EpochOwnership {
    rankHosts = List.copyOf(rankHosts);
  }
}
