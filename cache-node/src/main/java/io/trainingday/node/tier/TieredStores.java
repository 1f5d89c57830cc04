package io.trainingday.node.tier;

import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.GridCaches;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stores of one cache node, one for each number of backups and each tier. A data set lives in
 * the one of its settings.
 */
public final class TieredStores {
  private static final Logger LOG = LoggerFactory.getLogger(TieredStores.class);

  private final List<Map<Tier, RecordStore>> stores = new ArrayList<>();
  private final boolean onDisk;
  private final AtomicBoolean warned = new AtomicBoolean();

  /**
   * @param disk empty where the node has none: then nothing of tier disk is kept, and of tier
   *     hybrid what goes into memory
   */
  public TieredStores(RecordStores memory, Optional<DiskTier> disk) {
    onDisk = disk.isPresent();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      Map<Tier, RecordStore> ofTiers = new EnumMap<>(Tier.class);
      ofTiers.put(Tier.MEMORY, memory.of(backups));
      for (Tier tier : List.of(Tier.DISK, Tier.HYBRID)) {
        ofTiers.put(tier, new TieredStore(memory.of(backups), tier, disk.orElse(null)));
      }
      stores.add(ofTiers);
    }
  }

  /**
   * The store of the data sets of a number of backups and a tier.
   *
   * @param backups 0 to {@link GridCaches#MAX_BACKUPS}
   */
  public RecordStore of(int backups, Tier tier) {
    RecordStore store = stores.get(backups).get(tier);
    if (store == null) {
      throw new IllegalArgumentException("tier " + tier);
    }
    if (tier.onDisk() && !onDisk && warned.compareAndSet(false, true)) {
      LOG.warn(
          "This node is asked for a data set of tier {} and has no disk tier: it keeps none of its"
              + " records there; set disk.path on every node",
          tier);
    }
    return store;
  }

  /** Whether this node has a disk tier. */
  public boolean onDisk() {
    return onDisk;
  }
}
