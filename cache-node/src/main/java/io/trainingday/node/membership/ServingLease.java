package io.trainingday.node.membership;

import io.trainingday.node.membership.LeaseRound.Answer;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's right to serve what it holds for current. It is renewed by pings to the other nodes
 * of the stable membership, each time for one term counted from when the pings were sent, and ends
 * by itself: a process that was paused wakes up without it, however long it takes to learn that the
 * grid has gone on without it. {@link LeaseRound} says how many must accept.
 *
 * <p>The term is measured by {@link System#nanoTime}, which goes on while a process is stopped, but
 * not on every system while the whole machine is suspended. Clocks of different hosts may run at
 * different speeds: the lease ends a hundredth of its term early.
 */
public final class ServingLease implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ServingLease.class);
  private static final long DRIFT_DIVISOR = 100;
  private static final long MAX_INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private final LocalMembership membership;
  private final Function<UUID, CompletableFuture<Boolean>> ping;
  private final long termNanos;
  private final LongSupplier clock;
  private final ScheduledExecutorService timer;
  private volatile long heldUntilNanos;

  // Guarded by this.
  private boolean closed;

  // Guarded by this.
  private boolean heldLately;

  /**
   * Starts to ask for the lease. A node that is alone in its grid has it at once.
   *
   * @param term as told to {@code membership}
   * @param ping asks another node whether it accepts this one's lease: false if it has seen this
   *     node fail or leave; exceptionally or late if there is no answer. Must not block
   */
  public ServingLease(
      GridMembership membership, Duration term, Function<UUID, CompletableFuture<Boolean>> ping) {
    this(membership.local(), term, ping, System::nanoTime);
    renew();
    // Often enough that a refusal comes before discovery may take the other one for dead.
    long every = Math.min(termNanos / 4, MAX_INTERVAL_NANOS);
    var unused = timer.scheduleWithFixedDelay(this::renew, every, every, TimeUnit.NANOSECONDS);
  }

  /** Without a timer. */
  ServingLease(
      LocalMembership membership,
      Duration term,
      Function<UUID, CompletableFuture<Boolean>> ping,
      LongSupplier clock) {
    this.membership = membership;
    this.ping = ping;
    this.clock = clock;
    this.termNanos = term.toNanos() - term.toNanos() / DRIFT_DIVISOR;
    this.heldUntilNanos = clock.getAsLong();
    this.timer =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread made = new Thread(task, "serving-lease");
              made.setDaemon(true);
              return made;
            });
  }

  /**
   * Whether this node may serve at this moment. Ask once per read, at any time in it: a read that
   * finds the lease held may answer what its versions were at any time in it. A volatile read and a
   * look at the clock.
   */
  public boolean isHeld() {
    return heldUntilNanos - clock.getAsLong() > 0;
  }

  /** Waits until the lease is held; false if it is not within the time. */
  public boolean awaitHeld(Duration atMost) throws InterruptedException {
    long deadline = System.nanoTime() + atMost.toNanos();
    while (true) {
      long seen = membership.signal().count();
      if (isHeld()) {
        return true;
      }
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return false;
      }
      membership.signal().await(seen, left);
    }
  }

  /** Why this node does not serve, empty while it does. */
  public Optional<String> trouble() {
    return isHeld()
        ? Optional.empty()
        : membership
            .trouble()
            .or(() -> Optional.of("this node has not heard from a majority of the grid in time"));
  }

  /** Sends one round of pings. */
  void renew() {
    try {
      MembershipState state = membership.state();
      LeaseRound round = new LeaseRound(clock.getAsLong());
      evaluate(round);
      Set<UUID> others = new HashSet<>(state.mayServe());
      others.retainAll(state.view().ids());
      others.remove(membership.self());
      for (UUID other : others) {
        var unused = ask(other).thenAccept(answer -> answered(round, other, answer));
      }
    } catch (RuntimeException e) {
      LOG.error("Cannot renew the serving lease.", e);
    }
  }

  private CompletableFuture<Answer> ask(UUID other) {
    CompletableFuture<Boolean> accepted;
    try {
      accepted = ping.apply(other).copy();
    } catch (RuntimeException e) {
      accepted = CompletableFuture.failedFuture(e);
    }
    return accepted
        .orTimeout(termNanos / 2, TimeUnit.NANOSECONDS)
        .handle(
            (yes, failure) -> {
              if (failure != null) {
                LOG.debug("Node {} does not answer.", other, failure);
                return Answer.SILENT;
              }
              return yes ? Answer.ACCEPTED : Answer.REFUSED;
            });
  }

  private synchronized void answered(LeaseRound round, UUID other, Answer answer) {
    round.answered(other, answer);
    evaluate(round);
  }

  private synchronized void evaluate(LeaseRound round) {
    // Not the state of when the pings were sent: an attempt made since counts, too.
    MembershipState state = membership.state();
    if (round.isExpelled(state.electorates(), membership.smallGrids())) {
      membership.expelled();
    } else if (!closed
        && round.grants(
            membership.self(), state.view(), state.electorates(), membership.smallGrids())) {
      long until = round.sentNanos() + termNanos;
      if (until - heldUntilNanos > 0) {
        heldUntilNanos = until;
      }
    }
    report();
  }

  // Guarded by this.
  private void report() {
    boolean held = isHeld();
    if (held == heldLately) {
      return;
    }
    heldLately = held;
    if (held) {
      LOG.info("This node serves: it holds the serving lease.");
      membership.signal().raise();
    } else if (!closed) {
      LOG.warn("This node does not serve, every read is a miss: {}.", trouble().orElse(""));
    }
  }

  /** Gives the lease up. */
  @Override
  public synchronized void close() {
    closed = true;
    heldUntilNanos = clock.getAsLong();
    timer.shutdownNow();
  }
}
