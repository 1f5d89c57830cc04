package io.trainingday.node.versions;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.membership.Change;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells from this node's own copy of the version keys what is current.
 *
 * <p>A version key may have megabytes, so it is decoded once and kept as a view. Beside it lies its
 * <i>head</i>, 16 bytes written in the same transaction; each look reads the head (about 1.5 µs)
 * and decodes the key again only when the head is newer than the view.
 *
 * <h2>Why a local read is enough</h2>
 *
 * The caches are REPLICATED, TRANSACTIONAL and FULL_SYNC. What follows holds of Ignite 2.18.0:
 *
 * <ol>
 *   <li>A commit returns when every copy has it. The publisher's node waits for the answer of each
 *       primary ({@code GridNearTxFinishFuture.finish}, FinishMiniFuture); a primary answers when
 *       all its backups have answered ({@code GridDhtTxFinishFuture.onDone} → sendFinishReply, with
 *       FULL_SYNC every backup's MiniFuture is waited for); a backup answers when its transaction
 *       is over ({@code IgniteTxHandler.processDhtTxFinishRequest}: replyRequired →
 *       completeFuture), which is after the rows are in its B+trees, where a local read finds them.
 *       In a REPLICATED cache all nodes of the transaction's topology are primary or backup.
 *   <li>When a primary dies meanwhile, the publisher's node waits for the remote transaction of all
 *       its backups to end ({@code FinishMiniFuture.onNodeLeft} → CheckRemoteTxMiniFuture with
 *       waitRemoteTransactions), which transaction recovery commits, for all had prepared.
 *   <li>A local read is trusted only while the partition is OWNING here, else Ignite asks another
 *       node ({@code GridPartitionedSingleGetFuture.tryLocalGet} →{@code
 *       GridCacheContext.reserveForFastLocalGet} → checkAndReservePartition). A partition that is
 *       new here becomes OWNING after it was loaded from an owner, which began after every
 *       transaction of the topology before had ended (the exchange waits for them); transactions of
 *       the new topology reach it as they reach everybody.
 *   <li>Reads do not wait for an exchange ({@code GridPartitionedSingleGetFuture.map}: unless one
 *       is done they use the last one that was).
 * </ol>
 *
 * What does <i>not</i> follow is that the nodes agree on who "everybody" was when the commit
 * returned: a node that paused, or that some of them take for dead, may have been left out, and
 * still run. So a publish does not end with the commit: it asks every node that may serve whether
 * it {@link #sees} the change, by this very way of reading, and waits until others can hold no
 * serving lease (see {@link io.trainingday.node.membership.Fence}).
 *
 * <p>That also settles what a reader does that comes while a transaction is being applied here, and
 * finds a new head and the former key: it may go on with the former view, for the publish cannot
 * have returned.
 */
final class VersionReplica {
  private static final Logger LOG = LoggerFactory.getLogger(VersionReplica.class);

  /** For the answer of another node, when this one's copy is not whole: an event loop may wait. */
  private static final long GRID_ANSWER_MILLIS = 200;

  private final IgniteCache<Long, byte[]> heads;
  private final IgniteCache<Long, byte[]> keys;
  private final IgniteCache<String, byte[]> pipelines;
  private final ConcurrentMap<Long, ViewCell> cells = new ConcurrentHashMap<>();
  private volatile Runnable newer = () -> {};
  private volatile boolean closed;

  VersionReplica(Ignite ignite) {
    this.heads = ignite.cache(GridCaches.HEADS);
    this.keys = ignite.cache(GridCaches.VERSIONS);
    this.pipelines = ignite.cache(GridCaches.PIPELINES);
  }

  /** The cell of a data set's views, one for all who have it open. */
  ViewCell cell(long dataset) {
    return cells.computeIfAbsent(dataset, ViewCell::new);
  }

  /**
   * What is current now: contains every publish that returned before, if this node holds the
   * serving lease now.
   *
   * @return null when there is no such data set
   * @throws GridUnavailableException when this node's copy cannot tell, and no other node does
   * @throws DatasetRefusedException when the version key cannot be read by this release
   */
  @Nullable DatasetView view(ViewCell cell) {
    if (closed) {
      throw new GridUnavailableException("this node stops", new IllegalStateException("closed"));
    }
    byte[] bytes = get(heads, cell.dataset());
    if (bytes == null) {
      return null;
    }
    Head head = Head.decode(bytes);
    DatasetView known = cell.view();
    if (known != null && !head.isNewerThan(known)) {
      return known;
    }
    byte[] key = get(keys, cell.dataset());
    if (key == null) {
      return known;
    }
    DatasetView newest = cell.advance(new DatasetView(Layout.decodeVersionKey(key)));
    newer.run();
    return newest;
  }

  /** Calls a listener when something newer was found here, on the thread that found it. */
  void onNewer(Runnable listener) {
    newer = listener;
  }

  /** Whether every read that starts from now on sees the change. */
  boolean sees(Change change) {
    try {
      byte[] head = get(heads, change.dataset());
      if (head == null || !named(change).isWithin(Head.decode(head))) {
        return false;
      }
      DatasetView view = view(cell(change.dataset()));
      return view != null
          && view.incarnation() == change.incarnation()
          && view.generation() >= change.generation();
    } catch (GridUnavailableException | DatasetRefusedException e) {
      LOG.debug("Cannot confirm {}.", change, e);
      return false;
    }
  }

  private static Head named(Change change) {
    return new Head(change.incarnation(), change.generation(), change.revision());
  }

  /** The version key as this node has it, without a look at its head. */
  @Nullable VersionKey key(long dataset) {
    byte[] bytes = get(keys, dataset);
    return bytes == null ? null : Layout.decodeVersionKey(bytes);
  }

  /** A pipeline as this node has it. */
  @Nullable Pipeline pipeline(long dataset, long pipeline) {
    byte[] bytes = get(pipelines, MetaStore.pipelineKey(dataset, pipeline));
    return bytes == null ? null : Layout.decodePipeline(bytes);
  }

  private static <K> byte @Nullable [] get(IgniteCache<K, byte[]> cache, K key) {
    try {
      // Done at once when the local copy is whole.
      IgniteFuture<byte[]> value = cache.getAsync(key);
      return value.isDone() ? value.get() : value.get(GRID_ANSWER_MILLIS, TimeUnit.MILLISECONDS);
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw new GridUnavailableException(
          "this node's copy of the version keys is not whole, and no other node has answered: "
              + e.getMessage(),
          e);
    }
  }

  /** From now on nothing is known to be current. */
  void close() {
    closed = true;
  }
}
