package io.trainingday.node.store;

import io.trainingday.grid.GridCaches;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.apache.ignite.Ignite;

/**
 * The stores of one cache node, one for each number of backups. A data set lives in the one of its
 * number.
 */
public final class RecordStores {
  private final List<RecordStore> stores;

  private RecordStores(List<RecordStore> stores) {
    this.stores = List.copyOf(stores);
  }

  /**
   * Stores that copy straight from Ignite's pages to the sink.
   *
   * @throws IllegalArgumentException when the node lacks a cache of samples, or their data region
   *     is persistent
   */
  public static RecordStores withPageReader(Ignite ignite) {
    return open(ignite, IgniteRecordStore::withPageReader);
  }

  /**
   * Stores that read through Ignite's public interface, which copies to the heap in between.
   *
   * @throws IllegalArgumentException when the node lacks a cache of samples
   */
  public static RecordStores withPublicReader(Ignite ignite) {
    return open(ignite, IgniteRecordStore::withPublicReader);
  }

  private static RecordStores open(
      Ignite ignite, BiFunction<Ignite, Integer, RecordStore> storeOfBackups) {
    List<RecordStore> stores = new ArrayList<>();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      stores.add(storeOfBackups.apply(ignite, backups));
    }
    return new RecordStores(stores);
  }

  /**
   * The store of the samples that are kept on so many nodes beside their primary.
   *
   * @param backups 0 to {@link GridCaches#MAX_BACKUPS}
   */
  public RecordStore of(int backups) {
    return stores.get(backups);
  }

  /** Drains all, see {@link RecordStore#drain}. */
  public void drain() {
    stores.forEach(RecordStore::drain);
  }
}
