package io.trainingday.node.versions;

import io.trainingday.node.membership.Change;
import io.trainingday.node.membership.Keeper;
import io.trainingday.node.membership.Standing;
import io.trainingday.node.recovery.Electorate;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import io.trainingday.node.recovery.Life;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.CRC32C;
import javax.cache.CacheException;
import org.apache.ignite.IgniteException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's copy of the version keys and of the membership, on its disk. What is written when is
 * what {@link io.trainingday.node.recovery.RestoreRule} counts on:
 *
 * <ul>
 *   <li>a membership before anybody is told of this node's attempt;
 *   <li>all version keys before a membership is written as formed;
 *   <li>a changed version key before this node confirms the change to the fence.
 * </ul>
 *
 * Of one data set the version key is written first, then what is beside it: stamps older than their
 * version key only cause loads, while newer ones would hide a change.
 */
final class KeptCopy implements Keeper {
  private static final Logger LOG = LoggerFactory.getLogger(KeptCopy.class);

  private final KeptFiles files;
  private final String node;
  private final MetaStore store;

  // Guarded by this, as all that follows.
  private final Kept before;
  private Kept kept;
  private @Nullable Standing last;
  private @Nullable Electorate plan;
  private @Nullable Life joined;
  private Set<Long> ancestors = Set.of();
  private boolean left;

  private final Object writes = new Object();
  // Guarded by writes, as all that follows: heads that were on disk when they were asked for, and
  // when this node looked; checksums of files.
  private final Map<Long, Head> confirmed = new HashMap<>();
  private final Map<Long, Head> seen = new HashMap<>();
  private final Map<String, Long> written = new HashMap<>();
  private volatile boolean warned;

  /** The life this node is in, once that is on disk. */
  private volatile @Nullable Life recorded;

  /**
   * @param before what the files had when this node started, maybe under another name
   * @param node the name of this node
   */
  KeptCopy(KeptFiles files, Kept before, String node, MetaStore store) {
    this.files = files;
    this.node = node;
    this.store = store;
    this.before = before;
    this.kept = before;
  }

  /** What the files had when this node started. */
  Kept before() {
    return before;
  }

  /** From now on promises that a life may have begun, until it is joined. Written later. */
  synchronized void promise(Electorate membership) {
    plan = membership;
  }

  /** From now on this node is in that life. Written later, see {@link #recorded}. */
  synchronized void join(Life life, Set<Long> replaced) throws IOException {
    if (!life.equals(joined)) {
      files.begin(life);
      synchronized (writes) {
        confirmed.clear();
        seen.clear();
        written.clear();
      }
    }
    joined = life;
    ancestors = replaced;
  }

  /** The life this node is in, once that is on disk; null before. */
  @Nullable Life recorded() {
    return recorded;
  }

  @Override
  public synchronized void keep(Standing standing) throws IOException {
    if (left) {
      throw new IOException("this node leaves the grid");
    }
    last = standing;
    Life life = joined;
    Electorate planned = plan;
    if (life != null) {
      writeAll(life);
      Standing.Nodes formed = standing.formed();
      write(
          new Kept(
              node,
              life,
              ancestors,
              formed == null ? null : electorate(life, formed),
              standing.attempts().stream().map(nodes -> electorate(life, nodes)).toList(),
              List.of(),
              false));
      if (!life.equals(recorded)) {
        recorded = life;
        files.retain(life);
      }
    } else if (planned != null) {
      List<Electorate> promises = new ArrayList<>(before.promises());
      promises.add(planned);
      Standing.Nodes formed = standing.formed();
      if (formed != null && formed.version() > planned.version()) {
        promises.add(electorate(planned.life(), formed));
      }
      standing.attempts().forEach(nodes -> promises.add(electorate(planned.life(), nodes)));
      write(kept.promising(promises));
    }
  }

  private static Electorate electorate(Life life, Standing.Nodes nodes) {
    return new Electorate(life, nodes.version(), nodes.names());
  }

  // Guarded by this.
  private void write(Kept next) throws IOException {
    if (!next.equals(kept)) {
      files.keep(next);
      kept = next;
    }
  }

  /** Keeps that this node left, if others may go on without it; nothing is kept afterwards. */
  synchronized void leave() {
    left = true;
    recorded = null;
    Standing standing = last;
    boolean mattered = joined != null || plan != null;
    if (!mattered || standing == null || standing.view().names().size() <= 1) {
      return;
    }
    try {
      write(kept.leaving());
    } catch (IOException e) {
      // It may count itself when it is back, as if it had failed now.
      LOG.warn("This node cannot keep that it leaves the grid in order.", e);
    }
  }

  /** Whether the change is on disk, written now if it was not; it must be seen here already. */
  boolean confirms(Change change) {
    Life life = recorded;
    if (life == null) {
      return false;
    }
    Head asked = new Head(change.incarnation(), change.generation(), change.revision());
    synchronized (writes) {
      Head done = confirmed.get(change.dataset());
      if (done != null && asked.isWithin(done)) {
        return true;
      }
      boolean beside =
          done == null
              || done.incarnation() != asked.incarnation()
              || done.revision() < asked.revision();
      try {
        write(life, change.dataset(), beside);
      } catch (IOException e) {
        if (!warned) {
          warned = true;
          LOG.warn(
              "This node cannot keep version keys in {}, publishes wait for it: {}",
              files.directory(),
              e.toString());
        }
        return false;
      }
      warned = false;
      confirmed.put(change.dataset(), asked);
      return true;
    }
  }

  /** Writes what has changed since this was called last. */
  void writeChanged() throws IOException {
    Life life = recorded;
    if (life != null) {
      writeAll(life);
    }
  }

  private void writeAll(Life life) throws IOException {
    synchronized (writes) {
      for (Map.Entry<Long, Head> head : heads().entrySet()) {
        Head former = seen.get(head.getKey());
        Head now = head.getValue();
        if (!now.equals(former)) {
          boolean beside =
              former == null
                  || former.incarnation() != now.incarnation()
                  || former.revision() != now.revision();
          write(life, head.getKey(), beside);
          seen.put(head.getKey(), now);
        }
      }
    }
  }

  private Map<Long, Head> heads() throws IOException {
    try {
      return store.allHeads();
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw new IOException("the version keys cannot be read: " + e.getMessage(), e);
    }
  }

  // Guarded by writes.
  private void write(Life life, long dataset, boolean beside) throws IOException {
    byte[] key;
    Map<String, byte[]> pipelines = Map.of();
    Map<Long, byte[]> stamps = Map.of();
    try {
      key = store.keyBytes(dataset);
      if (key == null) {
        return;
      }
      if (beside) {
        pipelines = store.pipelineBytes(dataset);
        stamps = store.stampBytes(dataset, Layout.decodeVersionKey(key).source().length());
      }
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw new IOException("the version keys cannot be read: " + e.getMessage(), e);
    } catch (DatasetRefusedException e) {
      LOG.warn("A version key is not kept on disk: {}", e.getMessage());
      return;
    }
    writeIfChanged("key/" + dataset, key, () -> files.keepKey(life, dataset, key));
    if (!pipelines.isEmpty()) {
      byte[] all = Layout.encodePipelines(pipelines);
      writeIfChanged("pipelines/" + dataset, all, () -> files.keepPipelines(life, dataset, all));
    }
    for (Map.Entry<Long, byte[]> part : new TreeMap<>(stamps).entrySet()) {
      writeIfChanged(
          "stamps/" + dataset + "/" + part.getKey(),
          part.getValue(),
          () -> files.keepStamps(life, dataset, part.getKey(), part.getValue()));
    }
  }

  private interface Write {
    void run() throws IOException;
  }

  // Guarded by writes.
  private void writeIfChanged(String what, byte[] bytes, Write write) throws IOException {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes);
    // 32 bits alone would take a changed file for the same once in 4 billion.
    long print = (checksum.getValue() << 32) | (Arrays.hashCode(bytes) & 0xffff_ffffL);
    Long former = written.get(what);
    if (former == null || former != print) {
      write.run();
      written.put(what, print);
    }
  }
}
