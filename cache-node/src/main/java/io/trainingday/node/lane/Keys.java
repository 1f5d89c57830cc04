package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.KeySpace;

/** Keys as the grid has them and as they travel between nodes. */
final class Keys {
  private Keys() {}

  /** What a key has in common with those that differ in index and version alone. */
  static KeySpace space(SampleKey key, int backups) {
    return new KeySpace(key.dataset(), key.incarnation(), key.pipeline(), key.variant(), backups);
  }

  static SampleKey key(KeySpace space, long index, long sampleVersion) {
    return new SampleKey(
        space.dataset(),
        space.incarnation(),
        space.pipeline(),
        sampleVersion,
        space.variant(),
        index);
  }
}
