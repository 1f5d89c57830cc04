package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One node's part in agreeing on the grid's stable membership. Pure: no threads, no clock, no
 * network. The owner tells it the time, of discovery and of other nodes' {@link Letter.Note notes},
 * one call at a time, brings {@link #note} to all other nodes of the view whenever it changes, asks
 * those it waits for ({@link #behind}) again and again, and answers those who ask.
 *
 * <h2>The problem</h2>
 *
 * A network that breaks leaves rings of nodes that take each other for dead, and each goes on. Only
 * one may serve and publish: the one that has a majority of the last stable membership. But the
 * membership itself moves, and a break may come while only some have moved: of {1,2,3} that 4 and 5
 * join, {1,4,5} would be a majority of five to those who know, while {2,3} is a majority of three
 * to those who do not.
 *
 * <h2>The rule</h2>
 *
 * Dynamic voting with remembered attempts (E. Yeger Lotem, I. Keidar, D. Dolev, <i>Dynamic Voting
 * for Consistent Primary Components</i>, PODC 1997). A node has the last membership it knows to
 * have been formed, and its <i>attempts</i> since: memberships that may have been formed without
 * its knowing. In a new view,
 *
 * <ol>
 *   <li>every node tells all others that it is in this view, and what it has. No later than now it
 *       refuses every node outside of the view: discovery has no way back;
 *   <li>a node that has heard from all, and whose view holds enough of the newest membership formed
 *       and of every newer attempt of any of them, remembers the view as its own attempt, and tells
 *       all so;
 *   <li>a node that has heard of the attempt from all takes the view as formed, and forgets its
 *       attempts.
 * </ol>
 *
 * <p>An attempt is forgotten before if one of its nodes, now in this view, did not make it: it was
 * not formed then, and as nobody goes back to a former view it never will be. A node that left in
 * order serves no more, and is taken out of all counts.
 *
 * <p>Enough is a majority. Two exceptions: with {@link SmallGrids#SERVE} one node is enough of two;
 * and half is enough of an even number, when a node of the other half is back as another process
 * and the other half can be none any more.
 *
 * <h2>What follows</h2>
 *
 * With majorities alone, memberships are formed in one order, F1, F2, …, each with a majority of
 * the one before, for every later view knows of one formed through someone in both. <b>When F(n)
 * has been formed anywhere, no node that was outside of it can get a majority of every membership
 * it {@link MembershipState#electorates counts with}.</b> Proof: let X be outside of F(n), not new
 * since, and F(i) the newest on its list. X attempts only what it is in, so i &lt; n. X is not in
 * F(i+1): else it would have attempted it, and have it on its list. All of F(i+1) were in a view
 * without X before it was formed, and refuse X ever since; and they are a majority of F(i). So
 * there is none of F(i) for X.
 */
final class Agreement {
  private final UUID self;
  private final SmallGrids smallGrids;
  private final Map<UUID, Letter.Note> notes = new HashMap<>();
  private final List<Membership> attempts = new ArrayList<>();
  private Membership view;
  private @Nullable Membership formed;
  private boolean attempted;
  private boolean failedSinceFormed;
  private long longestLeaseNanos;
  private long outsidersServeUntilNanos;

  /**
   * @param foundedGrid whether this was the first node of its grid, alone; others may be in the
   *     view by now. A node that joined others learns from them what the grid was.
   * @param leaseNanos how long this node's serving lease lasts
   */
  Agreement(
      UUID self,
      SmallGrids smallGrids,
      long leaseNanos,
      boolean foundedGrid,
      Membership view,
      long now) {
    this.self = self;
    this.smallGrids = smallGrids;
    this.longestLeaseNanos = leaseNanos;
    this.outsidersServeUntilNanos = now;
    this.view = view;
    // A node that joined cannot know who failed before.
    this.failedSinceFormed = !foundedGrid;
    if (foundedGrid) {
      formed = new Membership(0, Map.of(self, view.nodes().getOrDefault(self, "")));
    }
    step(now);
  }

  /**
   * Discovery has moved on.
   *
   * @param left the node that left in order, if that is what happened
   */
  void viewChanged(Membership next, @Nullable UUID left, long now) {
    for (UUID former : view.ids()) {
      failedSinceFormed |= !next.contains(former) && !former.equals(left);
    }
    if (left != null) {
      formed = formed == null ? null : formed.without(left);
      attempts.replaceAll(attempt -> attempt.without(left));
    }
    view = next;
    attempted = false;
    notes.clear();
    step(now);
  }

  /** Takes a note; one of another view than this node's does not count. */
  void heard(UUID from, Letter.Note note, long now) {
    longestLeaseNanos = Math.max(longestLeaseNanos, note.longestLeaseNanos());
    if (!note.view().equals(view) || !view.contains(from) || from.equals(self)) {
      return;
    }
    Letter.Note former = notes.get(from);
    if (former == null || note.attempted() || !former.attempted()) {
      notes.put(from, note);
      step(now);
    }
  }

  private void step(long now) {
    if (isFormed()) {
      return;
    }
    attempts.removeIf(attempt -> attempt.version() < view.version() && isDisproved(attempt));
    if (!attempted && allSay(note -> true) && isEligible()) {
      attempted = true;
      attempts.add(view);
    }
    if (attempted && allSay(Letter.Note::attempted)) {
      formed = view;
      attempts.clear();
      if (failedSinceFormed) {
        failedSinceFormed = false;
        // All who are in refuse all who are out: no lease of theirs began later than now.
        outsidersServeUntilNanos = now + longestLeaseNanos;
      }
    }
  }

  private boolean allSay(Predicate<Letter.Note> what) {
    return view.ids().stream()
        .filter(id -> !id.equals(self))
        .allMatch(
            id -> {
              Letter.Note note = notes.get(id);
              return note != null && what.test(note);
            });
  }

  private boolean isEligible() {
    Membership newest = formed;
    List<Membership> possible = new ArrayList<>(attempts);
    for (Letter.Note note : notes.values()) {
      Membership theirs = note.formed();
      if (theirs != null && (newest == null || theirs.version() > newest.version())) {
        newest = theirs;
      }
      possible.addAll(note.attempts());
    }
    if (newest == null || !isEnoughOf(newest)) {
      return false;
    }
    long version = newest.version();
    return possible.stream()
        .filter(attempt -> attempt.version() > version && attempt.version() < view.version())
        .filter(attempt -> !isDisproved(attempt))
        .allMatch(this::isEnoughOf);
  }

  /**
   * Whether a former attempt was surely not formed, and never will be: someone in it, who has moved
   * on to this view, did not make it.
   */
  private boolean isDisproved(Membership attempt) {
    return attempt.ids().stream()
        .anyMatch(
            id -> {
              Letter.Note note = id.equals(self) ? note() : notes.get(id);
              return note != null && !note.mayHaveFormed(attempt.version());
            });
  }

  private boolean isEnoughOf(Membership other) {
    int present = other.countIn(view.ids());
    if (2 * present > other.size()) {
      return true;
    }
    return isSmall(other) ? present > 0 : 2 * present == other.size() && oneIsBack(other);
  }

  private boolean oneIsBack(Membership other) {
    return other.nodes().entrySet().stream()
        .anyMatch(
            node -> !view.contains(node.getKey()) && view.nodes().containsValue(node.getValue()));
  }

  private boolean isSmall(Membership membership) {
    return smallGrids == SmallGrids.SERVE && membership.size() <= 2;
  }

  /** What to tell all other nodes of the view. */
  Letter.Note note() {
    return new Letter.Note(false, view, attempted, formed, attempts, longestLeaseNanos);
  }

  Membership view() {
    return view;
  }

  /** The nodes this one is waiting for. */
  Set<UUID> behind() {
    if (isFormed()) {
      return Set.of();
    }
    Set<UUID> behind = new HashSet<>(view.ids());
    behind.remove(self);
    behind.removeIf(
        id -> {
          Letter.Note note = notes.get(id);
          return note != null && (note.attempted() || !attempted);
        });
    return behind;
  }

  /** Whether the view is the stable membership. */
  boolean isFormed() {
    return formed != null && formed.version() == view.version();
  }

  /** What holds now. */
  MembershipState state() {
    List<Membership> electorates = new ArrayList<>();
    if (formed != null) {
      electorates.add(formed);
      electorates.addAll(attempts);
    }
    return new MembershipState(
        view, List.copyOf(electorates), lostMajorityOf(), outsidersServeUntilNanos, false);
  }

  private @Nullable Membership lostMajorityOf() {
    if (formed != null && !isEnoughOf(formed)) {
      return formed;
    }
    return attempts.stream().filter(attempt -> !isEnoughOf(attempt)).findFirst().orElse(null);
  }
}
