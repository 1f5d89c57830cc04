package io.trainingday.node.versions;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.recovery.Life;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.jspecify.annotations.Nullable;

/**
 * The grid's {@link Origin}, and what the nodes tell each other until a life has begun: who has
 * done his part, which data sets cannot be brought back, and whether anybody wants to open one.
 */
final class OriginStore {
  private static final String ORIGIN = "origin";
  private static final String WANTED = "wanted";
  private static final String DONE = "done/";
  private static final String LOST = "lost/";
  private static final byte[] YES = {1};

  private final IgniteCache<String, byte[]> cache;

  OriginStore(Ignite ignite) {
    IgniteCache<String, byte[]> found = ignite.cache(GridCaches.ORIGIN);
    if (found == null) {
      throw new IllegalArgumentException(
          "no cache \"%s\" in this grid".formatted(GridCaches.ORIGIN));
    }
    this.cache = found;
  }

  @Nullable Origin origin() {
    byte[] bytes = cache.get(ORIGIN);
    return bytes == null ? null : Origin.decode(bytes);
  }

  void put(Origin origin) {
    cache.put(ORIGIN, origin.encode());
  }

  boolean isWanted() {
    return cache.containsKey(WANTED);
  }

  void want() {
    cache.put(WANTED, YES);
  }

  void done(Life life, UUID node) {
    cache.put(doneKey(life, node), YES);
  }

  boolean isDone(Life life, UUID node) {
    return cache.containsKey(doneKey(life, node));
  }

  private static String doneKey(Life life, UUID node) {
    return DONE + MetaStore.hex(life.id()) + "/" + node;
  }

  /** This data set is not to be brought back. */
  void lost(long dataset) {
    cache.put(LOST + MetaStore.hex(dataset), YES);
  }

  Set<Long> lost() {
    Set<Long> lost = new TreeSet<>();
    for (String key : keys()) {
      if (key.startsWith(LOST)) {
        lost.add(Long.parseUnsignedLong(key.substring(LOST.length()), 16));
      }
    }
    return lost;
  }

  /** Removes what nodes did for a plan. */
  void clean() {
    for (String key : keys()) {
      if (key.startsWith(DONE) || key.startsWith(LOST)) {
        cache.remove(key);
      }
    }
  }

  private Set<String> keys() {
    Set<String> keys = new TreeSet<>();
    try (QueryCursor<Cache.Entry<String, byte[]>> entries =
        cache.query(new ScanQuery<String, byte[]>().setLocal(true))) {
      entries.forEach(entry -> keys.add(entry.getKey()));
    }
    return keys;
  }
}
