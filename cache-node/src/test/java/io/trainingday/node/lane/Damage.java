package io.trainingday.node.lane;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;

/** Breaks stored records, as failing memory would. */
final class Damage {
  private Damage() {}

  /** Flips the last bit of the stored record of one sample, which must be there. */
  static void flipABit(String dataset, long index) throws NoSuchAlgorithmException {
    byte[] digest =
        MessageDigest.getInstance("SHA-256")
            .digest(("default/" + dataset).getBytes(StandardCharsets.UTF_8));
    long hash = ByteBuffer.wrap(digest).getLong();
    int broken = 0;
    for (Ignite ignite : Ignition.allGrids()) {
      IgniteCache<SampleKey, byte[]> cache = ignite.cache(GridCaches.samples(0));
      try (QueryCursor<Cache.Entry<SampleKey, byte[]>> all =
          cache.query(new ScanQuery<SampleKey, byte[]>().setLocal(true))) {
        for (Cache.Entry<SampleKey, byte[]> entry : all) {
          SampleKey key = entry.getKey();
          if (key.dataset() == hash && key.index() == index) {
            byte[] record = entry.getValue().clone();
            record[record.length - 1] ^= 1;
            cache.put(key, record);
            broken++;
          }
        }
      }
    }
    if (broken != 1) {
      throw new AssertionError(
          "%d stored records of sample %d of %s".formatted(broken, index, dataset));
    }
  }
}
