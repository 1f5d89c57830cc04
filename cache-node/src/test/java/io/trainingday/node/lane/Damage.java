package io.trainingday.node.lane;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;

/** Finds stored records, and breaks them as failing memory would. */
final class Damage {
  private Damage() {}

  /** Flips the last bit of the stored record of one sample, which must be there. */
  static void flipABit(String dataset, long index) throws NoSuchAlgorithmException {
    find(
        dataset,
        index,
        (cache, entry) -> {
          byte[] record = entry.getValue().clone();
          record[record.length - 1] ^= 1;
          cache.put(entry.getKey(), record);
        });
  }

  /** The key under which the record of one sample is stored, which must be there. */
  static SampleKey storedKey(String dataset, long index) throws NoSuchAlgorithmException {
    return find(dataset, index, (cache, entry) -> {});
  }

  private static SampleKey find(
      String dataset,
      long index,
      BiConsumer<IgniteCache<SampleKey, byte[]>, Cache.Entry<SampleKey, byte[]>> then)
      throws NoSuchAlgorithmException {
    byte[] digest =
        MessageDigest.getInstance("SHA-256")
            .digest(("default/" + dataset).getBytes(StandardCharsets.UTF_8));
    long hash = ByteBuffer.wrap(digest).getLong();
    List<SampleKey> found = new ArrayList<>();
    for (Ignite ignite : Ignition.allGrids()) {
      IgniteCache<SampleKey, byte[]> cache = ignite.cache(GridCaches.samples(0));
      try (QueryCursor<Cache.Entry<SampleKey, byte[]>> all =
          cache.query(new ScanQuery<SampleKey, byte[]>().setLocal(true))) {
        for (Cache.Entry<SampleKey, byte[]> entry : all) {
          if (entry.getKey().dataset() == hash && entry.getKey().index() == index) {
            then.accept(cache, entry);
            found.add(entry.getKey());
          }
        }
      }
    }
    if (found.size() != 1) {
      throw new AssertionError(
          "%d stored records of sample %d of %s".formatted(found.size(), index, dataset));
    }
    return found.get(0);
  }
}
