package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.ignite.Ignite;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.lang.IgnitePredicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The stable membership of this node's grid, as far as this node knows: it follows discovery and
 * agrees with the other nodes, as {@link Agreement} explains.
 *
 * <p>Only nodes that hold one of these agree, so a grid in which one node has none does not move
 * on. Safe for any number of threads.
 */
public final class GridMembership implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(GridMembership.class);
  private static final long ASK_AGAIN_MILLIS = 100;
  private static final long UNFORMED_WARNING_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final Ignite ignite;
  private final SmallGrids smallGrids;
  private final Keeper keeper;
  private final UUID self;
  private final Mail mail;
  private final IgnitePredicate<DiscoveryEvent> listener = this::discovered;
  private final Signal signal = new Signal();
  private final ScheduledExecutorService thread;
  private volatile MembershipState state;
  private volatile boolean ended;
  private volatile boolean closed;
  private volatile @Nullable GridFence fence;

  // The rest belongs to the thread.
  private final Agreement agreement;
  private @Nullable Standing kept;
  private boolean unkept;
  private long formedVersion = -1;
  private long unformedSinceNanos = System.nanoTime();
  private boolean warned;

  /**
   * Starts to agree with the other nodes.
   *
   * @param smallGrids what a node of a grid of two does without the other one
   * @param servingLease how long this node's serving lease lasts at most
   */
  public GridMembership(Ignite ignite, SmallGrids smallGrids, Duration servingLease) {
    this(ignite, smallGrids, servingLease, Keeper.NONE);
  }

  /**
   * As above, of a node that keeps where it stands.
   *
   * @param keeper called on a thread of this membership's
   */
  public GridMembership(
      Ignite ignite, SmallGrids smallGrids, Duration servingLease, Keeper keeper) {
    this.ignite = ignite;
    this.smallGrids = smallGrids;
    this.keeper = keeper;
    ClusterNode local = ignite.cluster().localNode();
    this.self = local.id();
    this.thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread made = new Thread(task, "membership");
              made.setDaemon(true);
              return made;
            });
    this.mail = new Mail(ignite);
    this.agreement =
        new Agreement(
            self,
            smallGrids,
            servingLease.toNanos(),
            local.order() == 1,
            membership(ignite.cluster().topologyVersion()),
            System.nanoTime());
    this.state = agreement.state();
    mail.listen(this::read);
    ignite
        .events()
        .localListen(
            listener,
            EventType.EVT_NODE_JOINED,
            EventType.EVT_NODE_LEFT,
            EventType.EVT_NODE_FAILED,
            EventType.EVT_NODE_SEGMENTED);
    post(this::catchUp);
    var unused =
        thread.scheduleWithFixedDelay(
            guarded(this::askAgain), ASK_AGAIN_MILLIS, ASK_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
  }

  private Membership membership(long version) {
    return membership(version, ignite.cluster().topology(version));
  }

  private static Membership membership(long version, Collection<ClusterNode> nodes) {
    Map<UUID, String> names = new HashMap<>();
    for (ClusterNode node : nodes) {
      if (!node.isClient()) {
        names.put(node.id(), node.consistentId().toString());
      }
    }
    return new Membership(version, names);
  }

  /** What happened before the listener stood; whoever is gone may have failed, or have left. */
  private void catchUp() {
    long version = ignite.cluster().topologyVersion();
    if (version > agreement.view().version()) {
      agreement.viewChanged(membership(version), null, System.nanoTime());
    }
    moved(true);
  }

  private boolean discovered(DiscoveryEvent event) {
    post(() -> follow(event));
    return true;
  }

  private void follow(DiscoveryEvent event) {
    if (event.type() == EventType.EVT_NODE_SEGMENTED) {
      expelled();
    }
    if (ended || event.topologyVersion() <= agreement.view().version()) {
      return;
    }
    agreement.viewChanged(
        membership(event.topologyVersion(), event.topologyNodes()),
        event.type() == EventType.EVT_NODE_LEFT ? event.eventNode().id() : null,
        System.nanoTime());
    mail.keepOnly(agreement.view().ids());
    moved(true);
  }

  private void read(UUID from, Letter letter) {
    if (ended || !contains(from)) {
      return;
    }
    if (letter instanceof Letter.Note note) {
      post(() -> heard(from, note));
    } else if (letter instanceof Letter.Question question) {
      GridFence asked = fence;
      mail.send(
          List.of(from),
          new Letter.Answer(question.number(), asked != null && asked.confirms(question.change())));
    } else if (letter instanceof Letter.Answer answer) {
      GridFence asking = fence;
      if (asking != null) {
        asking.answered(from, answer);
      }
    }
  }

  private void heard(UUID from, Letter.Note note) {
    if (ended) {
      return;
    }
    Letter.Note before = agreement.note();
    agreement.heard(from, note, System.nanoTime());
    boolean changed = !agreement.note().equals(before);
    moved(changed);
    if (note.asks() && !changed && !unkept) {
      mail.send(List.of(from), agreement.note());
    }
  }

  /**
   * Keeps where the agreement is, publishes it, then tells the others: never in another order. What
   * cannot be kept is tried again: until then this node stands where it stood.
   */
  private void moved(boolean tell) {
    if (!isKept()) {
      return;
    }
    if (agreement.isFormed()) {
      long version = agreement.view().version();
      if (formedVersion != version) {
        formedVersion = version;
        LOG.info("The grid is {}.", names(agreement.view()));
      }
      unformedSinceNanos = System.nanoTime();
      warned = false;
    }
    state = agreement.state();
    signal.raise();
    if (tell) {
      tell();
    }
  }

  private boolean isKept() {
    Standing standing = Standing.of(agreement.note());
    if (standing.equals(kept)) {
      return true;
    }
    try {
      keeper.keep(standing);
      kept = standing;
      unkept = false;
    } catch (IOException e) {
      if (!unkept && !closed) {
        LOG.warn(
            "This node cannot keep who the grid is, and holds up the others until it can: {}",
            e.toString());
      }
      unkept = true;
    }
    return !unkept;
  }

  /**
   * Has the keeper keep where this node stands now, whether it was told so before or not.
   *
   * @return where that is, later; an exception if it cannot be kept, or this membership is closed
   */
  public CompletableFuture<Standing> keepAgain() {
    CompletableFuture<Standing> done = new CompletableFuture<>();
    post(
        () -> {
          kept = null;
          moved(false);
          Standing now = kept;
          if (now == null) {
            done.completeExceptionally(new IOException("it cannot be kept"));
          } else {
            done.complete(now);
          }
        });
    if (closed) {
      done.completeExceptionally(new IllegalStateException("the membership is closed"));
    }
    return done;
  }

  private void tell() {
    Set<UUID> others = new HashSet<>(agreement.view().ids());
    others.remove(self);
    mail.send(others, agreement.note());
  }

  private void askAgain() {
    if (unkept) {
      moved(true);
    }
    if (ended || unkept || agreement.isFormed()) {
      return;
    }
    mail.send(agreement.behind(), agreement.note().asking());
    // Without a word from a node that is only starting nobody is held up.
    if (!warned
        && !state.isSettled()
        && System.nanoTime() - unformedSinceNanos > UNFORMED_WARNING_NANOS) {
      warned = true;
      LOG.warn(
          "For 10 s this node has not agreed with the others who the grid is. {}",
          trouble().orElse("It publishes nothing."));
    }
  }

  private void expelled() {
    if (!ended) {
      LOG.warn("The grid has taken this node for dead: it serves no more, restart it.");
      end();
    }
  }

  private void end() {
    ended = true;
    signal.raise();
  }

  private void post(Runnable step) {
    try {
      thread.execute(guarded(step));
    } catch (RejectedExecutionException closed) {
      LOG.trace("The membership is closed.", closed);
    }
  }

  private Runnable guarded(Runnable step) {
    return () -> {
      try {
        step.run();
      } catch (RuntimeException e) {
        LOG.error(
            "This node does not follow the grid's membership any more and serves no more.", e);
        end();
      }
    };
  }

  /**
   * Whether the node is in the grid as this node sees it. False for good once it was seen to fail
   * or to leave, and from then on it must be refused its serving lease.
   */
  public boolean contains(UUID node) {
    try {
      return ignite.cluster().node(node) != null;
    } catch (IllegalStateException stopping) {
      return false;
    }
  }

  /**
   * The grid's fence, made once.
   *
   * @param confirms whether every read of this node that starts from now on sees a change; asked by
   *     this node's fence or another's, on Ignite's threads, so it may take no longer than to write
   *     a small file
   */
  public Fence fence(Predicate<Change> confirms) {
    if (fence != null) {
      throw new IllegalStateException("a second fence");
    }
    GridFence made = new GridFence(local(), confirms);
    fence = made;
    return made;
  }

  /** Why this node may not serve or publish, empty while it may as far as the membership goes. */
  public Optional<String> trouble() {
    MembershipState now = state();
    if (closed) {
      return Optional.of("this node stops");
    }
    if (now.ended()) {
      return Optional.of("this node is out of the grid, restart it");
    }
    Membership lost = now.lostMajorityOf();
    if (lost != null) {
      return Optional.of(
          "this node sees %d of the grid's %d nodes %s, no majority: the others are dead or cut off; it serves and publishes nothing until it is restarted into the grid"
              .formatted(lost.countIn(now.view().ids()), lost.size(), names(lost)));
    }
    if (now.electorates().isEmpty()) {
      return Optional.of(
          "this node has not agreed with the others who the grid is: %s"
              .formatted(names(now.view())));
    }
    return Optional.empty();
  }

  private static String names(Membership membership) {
    return membership.nodes().values().stream()
        .sorted()
        .collect(Collectors.joining(", ", "[", "]"));
  }

  private MembershipState state() {
    MembershipState now = state;
    return ended ? now.end() : now;
  }

  /** What the lease and the fence need. */
  LocalMembership local() {
    return new Local();
  }

  private final class Local implements LocalMembership {
    @Override
    public UUID self() {
      return self;
    }

    @Override
    public SmallGrids smallGrids() {
      return smallGrids;
    }

    @Override
    public MembershipState state() {
      return GridMembership.this.state();
    }

    @Override
    public Signal signal() {
      return signal;
    }

    @Override
    public void send(Collection<UUID> nodes, Letter letter) {
      mail.send(nodes, letter);
    }

    @Override
    public void expelled() {
      GridMembership.this.expelled();
    }

    @Override
    public Optional<String> trouble() {
      return GridMembership.this.trouble();
    }

    @Override
    public boolean isClosed() {
      return closed;
    }
  }

  /** Stops agreeing: from now on this node serves nothing, and publishes in progress end. */
  @Override
  public void close() {
    closed = true;
    end();
    ignite.events().stopLocalListen(listener);
    mail.close();
    thread.shutdown();
  }
}
