package io.trainingday.node.versions;

import io.trainingday.grid.NodeAttributes;
import io.trainingday.node.membership.Change;
import io.trainingday.node.membership.GridMembership;
import io.trainingday.node.membership.Keeper;
import io.trainingday.node.membership.Standing;
import io.trainingday.node.recovery.Electorate;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import io.trainingday.node.recovery.Life;
import io.trainingday.node.recovery.RestoreRule;
import io.trainingday.node.recovery.Verdict;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterNode;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings a grid back after all of its nodes were down, and keeps on this node's disk what that
 * needs. For nodes with a disk tier.
 *
 * <p>Until the grid's life has begun nothing is opened, published or served. Each node says in an
 * attribute what it has kept; the oldest node leads:
 *
 * <ol>
 *   <li>When those in the grid know the newest version keys ({@link RestoreRule}), it plans a life
 *       that goes on from there; when its patience ends before, one that begins without them. Where
 *       nobody has kept anything it waits for the first data set to be opened, for a node that has
 *       may be on its way.
 *   <li>Every node promises, on disk, that the planned life may have begun, then puts what it kept
 *       of the version keys into the caches, the newest of all staying.
 *   <li>When all have, and the membership is still the one of the plan, the life begins.
 *   <li>Every node writes down that it is in the life, and serves.
 * </ol>
 *
 * If a node comes or goes meanwhile, or the leader does, the plan is given up and made anew. A node
 * that joins a life that has begun takes that one's version keys, and drops its own.
 */
public final class Recovery implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);
  private static final long STEP_MILLIS = 50;
  private static final long KEEP_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long KEEP_LIMIT_SECONDS = 30;

  private final Ignite ignite;
  private final KeptFiles files;
  private final long patienceNanos;
  private final long startNanos = System.nanoTime();
  private final MetaStore store;
  private final OriginStore origins;
  private final Transactions transactions;
  private final KeptCopy copy;
  private final SecureRandom random = new SecureRandom();
  private final ScheduledExecutorService thread;
  private volatile boolean over;
  private volatile boolean closed;
  private volatile boolean looked;
  private volatile @Nullable String obstacle;

  // The rest belongs to the thread.
  private @Nullable Life doneFor;
  private @Nullable String logged;
  private Set<Long> ancestors = Set.of();
  private long keepNanos = System.nanoTime();

  /**
   * Looks at where the grid is. Make the membership with {@link #keeper}, then {@link #begin}.
   *
   * @param files open as long as this is
   * @param before what was in them when the node started, as told in {@link NodeAttributes#KEPT}
   * @param wait how long a majority of those who were in the grid is waited for
   * @param freeBytes bytes free now in the data region of the meta caches
   * @param patience how long a transaction may take
   */
  public Recovery(
      Ignite ignite,
      KeptFiles files,
      Optional<Kept> before,
      Duration wait,
      LongSupplier freeBytes,
      Duration patience) {
    this.ignite = ignite;
    this.files = files;
    this.patienceNanos = wait.toNanos();
    this.store = new MetaStore(ignite, freeBytes);
    this.origins = new OriginStore(ignite);
    this.transactions = new Transactions(ignite, patience);
    String name = name(ignite.cluster().localNode());
    this.copy = new KeptCopy(files, before.orElseGet(() -> Kept.nothing(name)), name, store);
    this.thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread made = new Thread(task, "recovery");
              made.setDaemon(true);
              return made;
            });
    // Before the membership: a node that joins a life must not attempt anything unwritten.
    Origin origin = origins.origin();
    if (origin != null && origin.begun()) {
      try {
        copy.join(origin.life(), origin.ancestors());
      } catch (IOException e) {
        // The membership does not move before it can, and says so.
        LOG.warn("This node cannot write to {}.", files.directory(), e);
      }
    }
  }

  /** Keeps the membership for this. */
  public Keeper keeper() {
    return copy;
  }

  /** Starts to bring the grid back, or to keep what is in it. */
  public void begin(GridMembership grid) {
    var unused =
        thread.scheduleWithFixedDelay(
            () -> guardedStep(grid), 0, STEP_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Whether the grid's life has begun with this node in it. A volatile read. */
  public boolean isOver() {
    return over;
  }

  /** Why this node does not serve, empty when it does as far as this goes. */
  public Optional<String> trouble() {
    if (over) {
      return Optional.empty();
    }
    return looked ? Optional.ofNullable(obstacle) : Optional.of("this node has only just started");
  }

  /** Whether the change is on this node's disk. */
  boolean keeps(Change change) {
    return copy.confirms(change);
  }

  /**
   * Waits until the grid's life has begun; not for other nodes to come back.
   *
   * @param what needs it, for the error
   * @throws GridUnavailableException when it has not, saying why
   */
  void await(String what, long deadlineNanos) {
    if (over) {
      return;
    }
    if (obstacle == null) {
      origins.want();
      awaitOverOrObstacle(deadlineNanos);
    }
    if (!over) {
      String why = obstacle;
      String reason = why == null ? "the grid has not started in time" : why;
      throw new GridUnavailableException(
          "%s: not yet, repeat it: %s".formatted(what, reason), new IllegalStateException(reason));
    }
  }

  private synchronized void awaitOverOrObstacle(long deadlineNanos) {
    try {
      while (!over && obstacle == null) {
        long millis = TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
        if (millis <= 0) {
          return;
        }
        wait(millis);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new GridUnavailableException("interrupted while the grid starts", e);
    }
  }

  /**
   * Waits until this node is in the grid's life, or is known to have to wait for others.
   *
   * @return whether it is
   */
  public boolean awaitOver(Duration atMost) throws InterruptedException {
    long deadline = System.nanoTime() + atMost.toNanos();
    synchronized (this) {
      while (!over && !closed && (!looked || obstacle != null)) {
        long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (millis <= 0) {
          return false;
        }
        wait(millis);
      }
    }
    return over;
  }

  private synchronized void tell(boolean isOver, @Nullable String why) {
    over |= isOver;
    looked = true;
    obstacle = why;
    notifyAll();
  }

  private void guardedStep(GridMembership grid) {
    try {
      step(grid);
    } catch (CacheException
        | IgniteException
        | GridUnavailableException
        | DatasetRefusedException
        | IllegalStateException
        | IOException e) {
      // The grid changes, or the disk does not take it: again.
      LOG.debug("A step of the recovery failed.", e);
      if (!over && e instanceof IOException) {
        tell(false, "this node cannot use %s: %s".formatted(files.directory(), e.getMessage()));
      }
    } catch (RuntimeException e) {
      LOG.error("The recovery fails, it is tried again.", e);
    }
  }

  private void step(GridMembership grid) throws IOException {
    Origin origin = origins.origin();
    if (origin != null && origin.begun()) {
      if (over) {
        keep(grid, origin);
      } else {
        join(grid, origin);
      }
      return;
    }
    if (over) {
      // The caches of a grid that has broken may not tell.
      return;
    }
    Verdict verdict = RestoreRule.decide(kept(ignite.cluster().nodes()));
    tell(false, obstacle(verdict, origin));
    if (origin != null) {
      contribute(grid, origin);
    }
    if (leads()) {
      lead(grid, origin);
    }
  }

  private @Nullable String obstacle(Verdict verdict, @Nullable Origin origin) {
    if (!(verdict instanceof Verdict.Waiting waiting) || origin != null) {
      return null;
    }
    long leftNanos = Math.max(0, patienceNanos - (System.nanoTime() - startNanos));
    if (!waiting.reason().equals(logged)) {
      logged = waiting.reason();
      LOG.warn(
          "This node does not serve: {}. It waits for at most {} s, then it starts without what the"
              + " disks hold.",
          waiting.reason(),
          TimeUnit.NANOSECONDS.toSeconds(leftNanos));
    }
    return "%s; without them it starts cold in %d s"
        .formatted(waiting.reason(), TimeUnit.NANOSECONDS.toSeconds(leftNanos));
  }

  // ---- in a life

  private void keep(GridMembership grid, Origin origin) throws IOException {
    if (System.nanoTime() - keepNanos < 0) {
      return;
    }
    keepNanos = System.nanoTime() + KEEP_NANOS;
    if (!origin.ancestors().equals(ancestors)) {
      copy.join(origin.life(), origin.ancestors());
      var unused = standing(grid);
      ancestors = origin.ancestors();
    }
    copy.writeChanged();
  }

  private void join(GridMembership grid, Origin origin) throws IOException {
    Origin joined = tellAncestors(origin);
    copy.join(joined.life(), joined.ancestors());
    ancestors = joined.ancestors();
    var unused = standing(grid);
    if (!joined.life().equals(copy.recorded())) {
      return;
    }
    Life former = copy.before().life();
    if (former != null && former.lineage() != joined.life().lineage()) {
      LOG.warn("The grid goes on without what this node's disk holds.");
    }
    tell(true, null);
    LOG.info("This node keeps the version keys in {}.", files.directory());
  }

  /** That the grid has replaced what this node was in, so that nobody goes back to it. */
  private Origin tellAncestors(Origin origin) {
    Set<Long> mine = new HashSet<>(copy.before().ancestors());
    Life former = copy.before().life();
    if (former != null) {
      mine.add(former.lineage());
    }
    if (origin.replacing(mine).equals(origin)) {
      return origin;
    }
    return transactions.run(
        "joining the grid",
        transactions.deadline(),
        () -> {
          Origin now = origins.origin();
          Origin next = (now == null ? origin : now).replacing(mine);
          origins.put(next);
          return next;
        });
  }

  // ---- before

  private static String name(ClusterNode node) {
    return node.consistentId().toString();
  }

  private static byte @Nullable [] attribute(ClusterNode node) {
    return node.attribute(NodeAttributes.KEPT);
  }

  private static List<Kept> kept(Iterable<ClusterNode> nodes) {
    List<Kept> all = new ArrayList<>();
    for (ClusterNode node : nodes) {
      byte[] bytes = attribute(node);
      if (bytes != null && bytes.length > 0) {
        try {
          all.add(Kept.decode(bytes));
        } catch (IOException unreadable) {
          LOG.warn("What node {} kept cannot be read: {}", name(node), unreadable.getMessage());
        }
      }
    }
    return all;
  }

  private boolean leads() {
    return ignite.cluster().nodes().stream()
        .filter(node -> attribute(node) != null)
        .min(Comparator.comparingLong(ClusterNode::order))
        .filter(ClusterNode::isLocal)
        .isPresent();
  }

  private static Standing standing(GridMembership grid) throws IOException {
    try {
      return grid.keepAgain().get(KEEP_LIMIT_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("the membership cannot be kept", e);
    }
  }

  private void contribute(GridMembership grid, Origin plan) throws IOException {
    if (plan.life().equals(doneFor)) {
      return;
    }
    Standing standing = standing(grid);
    if (!standing.knows(plan.version()) || standing.view().version() != plan.version()) {
      return;
    }
    copy.promise(new Electorate(plan.life(), plan.version(), standing.view().names()));
    LOG.debug("Promised {} at {}.", plan.life(), standing(grid));
    Life from = copy.before().life();
    if (from != null && plan.sources().contains(copy.before().node())) {
      for (Map.Entry<Long, Optional<byte[]>> key : files.keys(from).entrySet()) {
        bringBack(plan, from, key.getKey(), key.getValue().orElse(null));
      }
    }
    origins.done(plan.life(), ignite.cluster().localNode().id());
    doneFor = plan.life();
  }

  private void bringBack(Origin plan, Life from, long dataset, byte @Nullable [] bytes)
      throws IOException {
    Map<Long, byte[]> stamps = files.stamps(from, dataset);
    if (bytes == null || stamps == null) {
      origins.lost(dataset);
      return;
    }
    try {
      VersionKey key = Layout.decodeVersionKey(bytes);
      Optional<byte[]> pipelineBytes = files.pipelines(from, dataset);
      Map<String, byte[]> pipelines =
          pipelineBytes.isPresent()
              ? Layout.decodePipelines(pipelineBytes.orElseThrow())
              : Map.of();
      boolean fits =
          transactions.run(
              "restore of data set \"%s\"".formatted(key.scopedName()),
              transactions.deadline(),
              () -> bringBack(plan, dataset, key, pipelines, stamps));
      if (!fits) {
        origins.lost(dataset);
      }
    } catch (DatasetRefusedException refused) {
      LOG.warn("A data set's records on disk are lost: {}", refused.getMessage());
      origins.lost(dataset);
    }
  }

  /** Whether it is of the incarnation that is here already, if one is. */
  private boolean bringBack(
      Origin plan,
      long dataset,
      VersionKey key,
      Map<String, byte[]> pipelines,
      Map<Long, byte[]> stamps) {
    if (!plan.equals(origins.origin())) {
      throw new IllegalStateException("the plan was given up");
    }
    VersionKey here = store.key(dataset);
    if (here != null && here.incarnation() != key.incarnation()) {
      LOG.warn(
          "Data set \"{}\" was kept in two incarnations, its records on disk are lost.",
          key.scopedName());
      return false;
    }
    boolean newer =
        here == null
            || key.generation() > here.generation()
            || (key.generation() == here.generation() && key.revision() > here.revision());
    if (newer) {
      store.restore(dataset, key, pipelines, stamps);
    }
    return true;
  }

  private void lead(GridMembership grid, @Nullable Origin plan) throws IOException {
    Standing standing = standing(grid);
    if (!standing.isFormed()) {
      return;
    }
    List<ClusterNode> nodes =
        ignite.cluster().nodes().stream()
            .filter(node -> standing.view().names().contains(name(node)))
            .toList();
    if (plan != null
        && plan.version() == standing.view().version()
        && plan.leader().equals(ignite.cluster().localNode().id())) {
      beginLife(plan, nodes);
      return;
    }
    UUID self = ignite.cluster().localNode().id();
    Verdict verdict = RestoreRule.decide(kept(nodes));
    boolean lives = plan == null && !store.isEmpty();
    if (!lives && isToWait(verdict)) {
      return;
    }
    if (plan != null) {
      giveUp(plan);
    }
    long version = standing.view().version();
    Origin next;
    if (!lives && verdict instanceof Verdict.Restore restore) {
      Life life = new Life(restore.life().lineage(), restore.nextTerm(), random.nextLong());
      next = new Origin(false, life, restore.ancestors(), version, self, restore.sources());
    } else {
      next =
          new Origin(
                  false,
                  new Life(random.nextLong(), 1, random.nextLong()),
                  Set.of(),
                  version,
                  self,
                  Set.of())
              .replacing(lineages(kept(nodes)));
    }
    if (verdict instanceof Verdict.Waiting waiting) {
      LOG.warn(
          "The grid starts without what the disks hold, all samples will be loaded again: {}.",
          lives ? "other nodes were serving already" : waiting.reason());
    }
    Origin made = next;
    transactions.run(
        "plan to start the grid",
        transactions.deadline(),
        () -> {
          Origin now = origins.origin();
          if (now == null || !now.begun()) {
            origins.put(made);
          }
          return made;
        });
  }

  private boolean isToWait(Verdict verdict) {
    if (verdict instanceof Verdict.Nothing) {
      return !origins.isWanted();
    }
    return verdict instanceof Verdict.Waiting && System.nanoTime() - startNanos < patienceNanos;
  }

  /** Takes back what was done for a plan. */
  private void giveUp(Origin plan) {
    // First, so that nobody brings anything back behind the cleaning.
    transactions.run(
        "giving up a plan",
        transactions.deadline(),
        () -> {
          Origin now = origins.origin();
          if (now != null && now.begun()) {
            throw new IllegalStateException("the grid has started");
          }
          origins.put(plan.withdrawn());
          return true;
        });
    store.clear();
    origins.clean();
  }

  private static Set<Long> lineages(List<Kept> kept) {
    Set<Long> lineages = new HashSet<>();
    for (Kept one : kept) {
      Life life = one.life();
      if (life != null) {
        lineages.add(life.lineage());
      }
      lineages.addAll(one.ancestors());
      one.promises().forEach(promise -> lineages.add(promise.life().lineage()));
    }
    return lineages;
  }

  private void beginLife(Origin plan, List<ClusterNode> nodes) {
    boolean allDone =
        nodes.stream()
            .filter(node -> attribute(node) != null)
            .allMatch(node -> origins.isDone(plan.life(), node.id()));
    if (!allDone) {
      return;
    }
    for (long dataset : origins.lost()) {
      transactions.run(
          "giving up a data set",
          transactions.deadline(),
          () -> {
            store.forget(dataset);
            return true;
          });
    }
    boolean begun =
        transactions.run(
            "start of the grid",
            transactions.deadline(),
            () -> {
              boolean mine = plan.equals(origins.origin());
              if (mine) {
                origins.put(plan.begin());
              }
              return mine;
            });
    if (begun) {
      origins.clean();
      LOG.info(
          plan.sources().isEmpty()
              ? "The grid starts anew."
              : "The grid goes on with the version keys that these nodes kept: {}.",
          plan.sources());
    }
  }

  /** Keeps that this node leaves the grid in order; nothing is kept from now on. */
  @Override
  public void close() {
    closed = true;
    thread.shutdown();
    copy.leave();
    tell(false, "this node stops");
  }
}
