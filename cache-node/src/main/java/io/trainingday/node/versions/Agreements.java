package io.trainingday.node.versions;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import javax.cache.CacheException;
import javax.cache.expiry.CreatedExpiryPolicy;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;

/**
 * Values that trainers agree on: the first one offered under a key is everyone's, on every node,
 * for an hour. They are in memory alone, and few. Thread-safe; blocks.
 */
public final class Agreements {
  private static final int MAX_VALUES = 1 << 17;

  /** Memory that is left to version keys. */
  private static final long RESERVE_BYTES = 16L << 20;

  private static final javax.cache.expiry.Duration KEPT =
      new javax.cache.expiry.Duration(TimeUnit.HOURS, 1);
  private static final byte[] NOTHING = new byte[0];

  private final IgniteCache<String, byte[]> values;
  private final LongSupplier freeBytes;
  private final BooleanSupplier mayServe;
  private final Transactions transactions;

  /**
   * Over the grid's cache of agreements.
   *
   * @param freeBytes bytes free now in the data region of the cache
   * @param mayServe whether this node is known to be on the only side of the grid there is
   * @param patience how long the grid may take
   */
  public Agreements(
      Ignite ignite, LongSupplier freeBytes, BooleanSupplier mayServe, Duration patience) {
    this.values =
        ignite
            .<String, byte[]>cache(GridCaches.AGREEMENTS)
            .withExpiryPolicy(new CreatedExpiryPolicy(KEPT));
    this.freeBytes = freeBytes;
    this.mayServe = mayServe;
    this.transactions = new Transactions(ignite, patience);
  }

  /**
   * What has been agreed on under a key.
   *
   * @param tenant whose key it is
   * @param offered what it is to be if nobody has offered anything yet; empty: nothing is offered
   * @return what was offered first; empty if nothing has been
   * @throws DatasetRefusedException LIMIT when there are too many already
   * @throws GridUnavailableException when this node may not serve, or the grid does not answer
   */
  public byte[] agree(String tenant, String key, byte[] offered) {
    String scoped = tenant + "/" + key;
    requireServing(scoped);
    byte[] known;
    try {
      known = values.get(scoped);
    } catch (CacheException | IllegalStateException e) {
      throw new GridUnavailableException(
          "agreement on \"%s\": %s".formatted(scoped, e.getMessage()), e);
    }
    if (known != null || offered.length == 0) {
      return known == null ? NOTHING : known;
    }
    byte[] first =
        transactions.run(
            "agreement on \"%s\"".formatted(scoped),
            transactions.deadline(),
            () -> firstOf(scoped, offered));
    // Cut off meanwhile, it may be one side's alone.
    requireServing(scoped);
    return first;
  }

  private void requireServing(String scoped) {
    if (!mayServe.getAsBoolean()) {
      throw new GridUnavailableException(
          "agreement on \"%s\": this node may not serve now, ask again".formatted(scoped));
    }
  }

  private byte[] firstOf(String scoped, byte[] offered) {
    byte[] first = values.get(scoped); // Locks the key.
    if (first != null) {
      return first;
    }
    requireRoom(offered.length);
    values.put(scoped, offered);
    return offered;
  }

  private void requireRoom(long bytes) {
    int count = values.localSize(CachePeekMode.PRIMARY, CachePeekMode.BACKUP);
    if (count >= MAX_VALUES) {
      throw new DatasetRefusedException(
          Reason.LIMIT,
          "%d agreements are kept, allowed: %d; each goes an hour after it was made"
              .formatted(count, MAX_VALUES));
    }
    long free = freeBytes.getAsLong();
    if (free - bytes < RESERVE_BYTES) {
      throw new DatasetRefusedException(
          Reason.LIMIT,
          "%d bytes free for agreements < %d, raise memory.metaMaxSize"
              .formatted(free, bytes + RESERVE_BYTES));
    }
  }
}
