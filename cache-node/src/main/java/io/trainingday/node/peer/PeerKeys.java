package io.trainingday.node.peer;

import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.KeySpace;
import io.trainingday.node.store.RecordStore;

/** Keys as the grid has them and as they travel between nodes. */
public final class PeerKeys {
  private static final Tier[] TIERS = Tier.values();

  private PeerKeys() {}

  /**
   * What a key has in common with those that differ in index and version alone.
   *
   * @param store of the data set
   */
  // The order of the tiers is that of the protocol.
  @SuppressWarnings("EnumOrdinal")
  public static KeySpace of(SampleKey key, RecordStore store) {
    return new KeySpace(
        key.dataset(),
        key.incarnation(),
        key.pipeline(),
        key.variant(),
        store.backups(),
        store.tier().ordinal());
  }

  /** The tier that a key space names. */
  public static Tier tier(KeySpace space) {
    return TIERS[space.tier()];
  }

  /** One key of a key space. */
  public static SampleKey key(KeySpace space, long index, long sampleVersion) {
    return new SampleKey(
        space.dataset(),
        space.incarnation(),
        space.pipeline(),
        sampleVersion,
        space.variant(),
        index);
  }
}
