package io.trainingday.node.membership;

import io.trainingday.node.membership.FenceException.Reason;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The fence of one grid.
 *
 * <p>A node X may serve what was before a change only under a serving lease, so it is enough that X
 * has said itself that it sees the change, or can hold no lease:
 *
 * <ul>
 *   <li>X is in the membership, or in an attempt this node took part in: it is asked, until it
 *       confirms or is out.
 *   <li>X was in it and failed: the fence waits until the membership has been formed without X
 *       (only a majority can), and then one serving lease, counted from after all members had begun
 *       to refuse X. {@link Agreement} has the proof that X can get none since.
 *   <li>X has only just joined, and this node has not attempted a membership with X: then there is
 *       none, and X has never held a lease. It will read the change as Ignite brings it every entry
 *       that was committed before.
 * </ul>
 *
 * <p>X is asked after the change was made, and this node looks once more, after all have answered,
 * that the membership is still the one it asked. So nothing here depends on who knew what of the
 * topology while Ignite committed the change.
 */
final class GridFence implements Fence {
  private static final long ASK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final LocalMembership membership;
  private final Predicate<Change> confirms;
  private final AtomicLong lastQuestion = new AtomicLong();
  private final Map<Long, Set<UUID>> unconfirmed = new ConcurrentHashMap<>();

  GridFence(LocalMembership membership, Predicate<Change> confirms) {
    this.membership = membership;
    this.confirms = confirms;
  }

  boolean confirms(Change change) {
    return confirms.test(change);
  }

  void answered(UUID from, Letter.Answer answer) {
    Set<UUID> waitingFor = unconfirmed.get(answer.number());
    if (waitingFor != null && answer.confirmed() && waitingFor.remove(from)) {
      membership.signal().raise();
    }
  }

  @Override
  public void requireMajority() {
    requireMajority(membership.state());
  }

  private void requireMajority(MembershipState state) {
    requireOpen();
    if (state.ended() || state.lostMajorityOf() != null) {
      throw new FenceException(
          Reason.MINORITY, membership.trouble().orElse("this node had no majority of the grid"));
    }
  }

  @Override
  public void pass(Change change, long deadlineNanos) {
    try {
      MembershipState settled = awaitSettled(deadlineNanos);
      while (!isConfirmed(settled, change, deadlineNanos)) {
        settled = awaitSettled(deadlineNanos);
      }
      awaitOutsiders(settled.outsidersServeUntilNanos(), deadlineNanos);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FenceException(Reason.UNCONFIRMED, "interrupted while other nodes confirm");
    }
  }

  private MembershipState awaitSettled(long deadlineNanos) throws InterruptedException {
    while (true) {
      long seen = membership.signal().count();
      MembershipState state = membership.state();
      requireMajority(state);
      if (state.isSettled()) {
        return state;
      }
      await(seen, deadlineNanos, Long.MAX_VALUE, "the nodes in the grid have not agreed who it is");
    }
  }

  /** Whether all who may serve have confirmed, and they are still the same. */
  private boolean isConfirmed(MembershipState settled, Change change, long deadlineNanos)
      throws InterruptedException {
    long number = lastQuestion.incrementAndGet();
    Set<UUID> waitingFor = ConcurrentHashMap.newKeySet();
    waitingFor.addAll(settled.mayServe());
    unconfirmed.put(number, waitingFor);
    try {
      long nextQuestion = System.nanoTime();
      while (true) {
        long seen = membership.signal().count();
        if (!isSame(settled, membership.state())) {
          return false;
        }
        if (waitingFor.isEmpty()) {
          return true;
        }
        if (System.nanoTime() - nextQuestion >= 0) {
          ask(new Letter.Question(number, change), waitingFor);
          nextQuestion = System.nanoTime() + ASK_AGAIN_NANOS;
        }
        await(
            seen,
            deadlineNanos,
            nextQuestion - System.nanoTime(),
            "these nodes have not confirmed: " + names(settled, waitingFor));
      }
    } finally {
      unconfirmed.remove(number);
    }
  }

  private void ask(Letter.Question question, Set<UUID> nodes) {
    Set<UUID> others = new HashSet<>(nodes);
    boolean own = others.remove(membership.self());
    // Others may have to write it to disk, as this node may: side by side.
    membership.send(others, question);
    if (own && confirms(question.change())) {
      nodes.remove(membership.self());
      membership.signal().raise();
    }
  }

  private static boolean isSame(MembershipState asked, MembershipState now) {
    return now.isSettled() && asked.mayServe().equals(now.mayServe());
  }

  private void awaitOutsiders(long untilNanos, long deadlineNanos) throws InterruptedException {
    while (true) {
      long seen = membership.signal().count();
      long left = untilNanos - System.nanoTime();
      if (left <= 0) {
        return;
      }
      await(seen, deadlineNanos, left, "a node that failed may still serve");
    }
  }

  private void await(long seen, long deadlineNanos, long atMostNanos, String what)
      throws InterruptedException {
    requireOpen();
    long left = deadlineNanos - System.nanoTime();
    if (left <= 0) {
      throw new FenceException(Reason.UNCONFIRMED, what);
    }
    membership.signal().await(seen, Math.max(0, Math.min(left, atMostNanos)));
  }

  private void requireOpen() {
    if (membership.isClosed()) {
      throw new FenceException(Reason.UNCONFIRMED, "this node stops");
    }
  }

  private static String names(MembershipState state, Set<UUID> ids) {
    return ids.stream()
        .map(id -> state.view().nodes().getOrDefault(id, id.toString()))
        .sorted()
        .collect(Collectors.joining(", "));
  }
}
