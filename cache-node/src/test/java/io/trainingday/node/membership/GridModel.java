package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import io.trainingday.node.membership.LeaseRound.Answer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A grid in one thread and in virtual time, in which everything that can go wrong does: processes
 * pause, die and leave, others join, the network breaks and heals, letters are late, out of order
 * and lost, each node learns of the others' fate when it likes, a committed change reaches replicas
 * when it likes.
 *
 * <p>What is real in it: {@link Agreement}, {@link MembershipState}, {@link LeaseRound}. What is
 * modelled: discovery as one list of events a ring, which its nodes follow in order and at their
 * own pace, and which goes on separately in each part when a ring breaks; {@link ServingLease}'s
 * and {@link GridFence}'s steps, with the lease's drift left out.
 */
final class GridModel {
  static final long TERM = 1_000;
  private static final long PING_EVERY = TERM / 4;
  private static final long PING_TIMEOUT = TERM / 2;
  private static final long MAX_DELAY = 60;

  /** Breaks a rule on purpose. */
  enum Sabotage {
    NONE,
    /** A publish does not wait for the leases of nodes that failed. */
    NO_WAIT_FOR_OUTSIDERS,
    /** A lease needs no majority of attempts. */
    IGNORE_ATTEMPTS,
    /** A publish does not ask the nodes that may serve. */
    NO_QUESTIONS,
    /** Nodes that have seen a node fail accept its lease. */
    NO_REFUSALS
  }

  /** One event of discovery. */
  private record Seen(Membership view, @Nullable UUID left) {}

  /** What discovery told a ring's nodes so far. */
  private static final class Ring {
    final List<Seen> events = new ArrayList<>();
    long quietUntil;

    Membership last() {
      return events.get(events.size() - 1).view();
    }

    void remove(UUID id, boolean inOrder) {
      Membership rest = last().without(id);
      events.add(new Seen(new Membership(last().version() + 1, rest.nodes()), inOrder ? id : null));
    }
  }

  private static final class Node {
    final UUID id;
    final String name;
    final Agreement agreement;
    Ring ring;
    int followed;
    boolean paused;
    boolean gone;
    boolean ended;
    boolean synced;
    long heldUntil;
    long nextRound;
    long applied;

    Node(UUID id, String name, Ring ring, SmallGrids smallGrids, boolean founds, long now) {
      this.id = id;
      this.name = name;
      this.ring = ring;
      this.followed = ring.events.size();
      this.agreement = new Agreement(id, smallGrids, TERM, founds, ring.last(), now);
      this.synced = founds;
      this.heldUntil = now;
    }

    boolean isUp() {
      return !gone && !paused;
    }

    Membership view() {
      return agreement.view();
    }

    MembershipState state() {
      return ended ? agreement.state().end() : agreement.state();
    }
  }

  /** A publish on its way through the fence. */
  private static final class Publish {
    final Node at;
    final long generation;
    @Nullable MembershipState asked;
    final Set<UUID> unconfirmed = new HashSet<>();
    long nextQuestion;
    boolean confirmed;

    Publish(Node at, long generation) {
      this.at = at;
      this.generation = generation;
    }
  }

  private record Arrival(long at, long order, Runnable what) implements Comparable<Arrival> {
    @Override
    public int compareTo(Arrival other) {
      return at != other.at ? Long.compare(at, other.at) : Long.compare(order, other.order);
    }
  }

  private final Random random;
  private final SmallGrids smallGrids;
  private final Sabotage sabotage;
  private final List<Node> nodes = new ArrayList<>();
  private final Map<UUID, Integer> side = new HashMap<>();
  private final PriorityQueue<Arrival> arrivals = new PriorityQueue<>();
  private final List<Publish> publishes = new ArrayList<>();
  private long arrivalOrder;
  private long now;
  private long lastGeneration;
  private long published;
  private int names;
  private double lossRate;

  // What the run covered.
  private int publishesDone;
  private int publishesRefused;
  private int checks;
  private int waitsForOutsiders;

  GridModel(long seed, int size, SmallGrids smallGrids, Sabotage sabotage) {
    this.random = new Random(seed);
    this.smallGrids = smallGrids;
    this.sabotage = sabotage;
    // With SERVE silence counts as consent, so that a lost refusal lets a node serve.
    this.lossRate = smallGrids == SmallGrids.STOP && random.nextInt(3) == 0 ? 0.2 : 0;
    UUID id = id();
    Ring ring = new Ring();
    ring.events.add(new Seen(new Membership(1, Map.of(id, "n0")), null));
    names = 1;
    nodes.add(new Node(id, "n0", ring, smallGrids, true, now));
    side.put(id, 0);
    while (nodes.size() < size) {
      join(nodes.get(0), "n" + names++);
      run(random.nextInt(3) == 0 ? 0 : 500);
    }
  }

  private UUID id() {
    return new UUID(random.nextLong(), random.nextLong());
  }

  // ---- what happens to the grid

  /** One thing of those allowed, then some time. */
  void disturb(boolean cutsAndDeaths) {
    List<Node> up = nodes.stream().filter(Node::isUp).toList();
    if (up.isEmpty()) {
      nodes.stream().filter(n -> n.paused).forEach(this::wake);
      run(TERM);
      return;
    }
    switch (random.nextInt(12)) {
      case 0, 1 -> {
        // With nothing else going wrong, one node at a time.
        if (cutsAndDeaths || nodes.stream().noneMatch(n -> n.paused)) {
          any(up).paused = true;
        }
      }
      case 2, 3 -> nodes.stream().filter(n -> n.paused && random.nextBoolean()).forEach(this::wake);
      case 4 -> {
        if (cutsAndDeaths && up.size() > 1) {
          any(up).gone = true;
        }
      }
      case 5 -> {
        if (cutsAndDeaths && up.size() > 1) {
          leave(any(up));
        }
      }
      case 6, 7 -> {
        if (nodes.stream().filter(n -> !n.gone).count() < 7) {
          join(any(up), random.nextBoolean() ? deadName() : "n" + names++);
        }
      }
      case 8 -> {
        if (cutsAndDeaths) {
          // While others are coming in, if it hits the worst moment.
          for (int joining = random.nextInt(4); joining > 0 && nodes.size() < 12; joining--) {
            join(up.get(0), "n" + names++);
            run(random.nextInt(50));
          }
          run(random.nextInt(150));
          cut();
          run(random.nextInt(2) * TERM);
          nodes.stream()
              .filter(Node::isUp)
              .filter(n -> random.nextBoolean())
              .forEach(this::publish);
        }
      }
      case 9 -> {
        if (cutsAndDeaths && random.nextBoolean()) {
          nodes.forEach(n -> side.put(n.id, 0));
        }
      }
      default -> publish(any(up));
    }
    run(random.nextInt(4) == 0 ? TERM + random.nextInt((int) TERM) : random.nextInt(300));
  }

  private <T> T any(List<T> list) {
    return list.get(random.nextInt(list.size()));
  }

  private String deadName() {
    List<Node> dead = nodes.stream().filter(n -> n.gone).toList();
    if (dead.isEmpty()) {
      return "n" + names++;
    }
    String name = any(dead).name;
    boolean taken = nodes.stream().anyMatch(n -> !n.gone && n.name.equals(name));
    return taken ? "n" + names++ : name;
  }

  private void join(Node by, String name) {
    if (by.ended) {
      return;
    }
    UUID id = id();
    Map<UUID, String> view = new HashMap<>(by.ring.last().nodes());
    view.put(id, name);
    by.ring.events.add(new Seen(new Membership(by.ring.last().version() + 1, view), null));
    side.put(id, side.getOrDefault(by.id, 0));
    nodes.add(new Node(id, name, by.ring, smallGrids, false, now));
  }

  private void leave(Node node) {
    node.gone = true;
    node.heldUntil = now;
    node.ring.remove(node.id, true);
  }

  private void cut() {
    for (Node node : nodes) {
      side.put(node.id, random.nextInt(2));
    }
  }

  private void wake(Node node) {
    node.paused = false;
    if (!node.ring.last().contains(node.id)) {
      // The ring went on without it. Sooner or later it hears so, or finds itself alone.
      Ring own = new Ring();
      own.events.addAll(node.ring.events.subList(0, node.followed));
      node.ring = own;
      // Discovery is slower than a round of pings.
      own.quietUntil = now + PING_EVERY + PING_TIMEOUT;
      if (random.nextBoolean()) {
        later(random.nextInt(2_000), () -> node.ended = true);
      }
    }
  }

  private boolean connected(Node a, Node b) {
    return side.getOrDefault(a.id, 0).equals(side.getOrDefault(b.id, 0));
  }

  /** What discovery notices: rings that are broken break, the silent are taken for dead. */
  private void detect() {
    for (Ring ring : nodes.stream().filter(Node::isUp).map(n -> n.ring).distinct().toList()) {
      List<Node> members =
          nodes.stream().filter(n -> n.isUp() && n.ring == ring && isIn(ring, n)).toList();
      Map<Integer, List<Node>> parts = new HashMap<>();
      members.forEach(
          n -> parts.computeIfAbsent(side.getOrDefault(n.id, 0), s -> new ArrayList<>()).add(n));
      if (parts.size() > 1 && random.nextInt(3) == 0) {
        for (List<Node> part : parts.values()) {
          // What one of them has seen all of them will see; what none has may be lost.
          int known = part.stream().mapToInt(n -> n.followed).max().orElseThrow();
          int kept = known + random.nextInt(ring.events.size() - known + 1);
          Ring own = new Ring();
          own.events.addAll(ring.events.subList(0, kept));
          part.forEach(n -> n.ring = own);
        }
      }
    }
    for (Ring ring : nodes.stream().filter(Node::isUp).map(n -> n.ring).distinct().toList()) {
      List<Node> silent =
          nodes.stream()
              .filter(n -> isIn(ring, n))
              .filter(n -> !n.isUp() || n.ring != ring)
              .toList();
      for (Node node : silent) {
        if (now >= ring.quietUntil && random.nextInt(4) == 0) {
          ring.remove(node.id, false);
        }
      }
    }
  }

  private static boolean isIn(Ring ring, Node node) {
    return ring.last().contains(node.id);
  }

  // ---- time

  private void later(long delay, Runnable what) {
    arrivals.add(new Arrival(now + delay, arrivalOrder++, what));
  }

  private void run(long time) {
    long end = now + time;
    while (now < end) {
      now = Math.min(end, now + 1 + random.nextInt(20));
      if (random.nextInt(10) == 0) {
        detect();
      }
      while (!arrivals.isEmpty() && arrivals.peek().at() <= now) {
        arrivals.poll().what().run();
      }
      for (Node node : nodes) {
        if (node.isUp() && !node.ended) {
          step(node);
        }
      }
      for (Publish publish : List.copyOf(publishes)) {
        if (publish.at.isUp()) {
          step(publish);
        } else if (publish.at.gone) {
          publishes.remove(publish);
        }
      }
      check();
    }
  }

  private void step(Node node) {
    if (node.followed < node.ring.events.size() && random.nextInt(3) == 0) {
      Seen seen = node.ring.events.get(node.followed++);
      if (seen.view().version() > node.view().version()) {
        node.agreement.viewChanged(seen.view(), seen.left(), now);
        tell(node);
      }
    }
    if (random.nextInt(20) == 0) {
      Letter.Note question = node.agreement.note().asking();
      sorted(node.agreement.behind()).forEach(other -> tell(node, other, question));
    }
    sync(node);
    if (now >= node.nextRound) {
      node.nextRound = now + PING_EVERY;
      round(node);
    }
  }

  // ---- letters

  /** Immutable sets have another order in each JVM, and a seed must mean the same in all. */
  private static List<UUID> sorted(Set<UUID> ids) {
    return ids.stream().sorted().toList();
  }

  private @Nullable Node node(UUID id) {
    return nodes.stream().filter(n -> n.id.equals(id)).findFirst().orElse(null);
  }

  private boolean contains(Node node, UUID other) {
    return node.view().contains(other);
  }

  /** Runs at the other node if it can be reached then, and has not seen the sender go. */
  private void bring(Node from, UUID to, Runnable what) {
    Node target = node(to);
    if (target != null && random.nextDouble() >= lossRate) {
      later(
          random.nextInt((int) MAX_DELAY),
          () -> {
            if (target.isUp() && connected(from, target)) {
              what.run();
            } else if (target.paused && connected(from, target)) {
              // It lies in the socket's buffer.
              bring(from, to, what);
            }
          });
    }
  }

  private void tell(Node node) {
    Letter.Note note = node.agreement.note();
    for (UUID other : sorted(node.view().ids())) {
      if (!other.equals(node.id)) {
        tell(node, other, note);
      }
    }
  }

  private void tell(Node node, UUID other, Letter.Note note) {
    Node target = node(other);
    bring(node, other, () -> hear(target, node, note));
  }

  private void hear(@Nullable Node node, Node from, Letter.Note note) {
    if (node == null || node.ended || !contains(node, from.id)) {
      return;
    }
    Letter.Note before = node.agreement.note();
    node.agreement.heard(from.id, note, now);
    if (!node.agreement.note().equals(before)) {
      tell(node);
    } else if (note.asks()) {
      tell(node, from.id, node.agreement.note());
    }
  }

  // ---- the lease, as ServingLease has it

  private List<Membership> electorates(Node node) {
    List<Membership> all = node.state().electorates();
    return sabotage == Sabotage.IGNORE_ATTEMPTS && !all.isEmpty() ? all.subList(0, 1) : all;
  }

  private void round(Node node) {
    LeaseRound round = new LeaseRound(now);
    MembershipState state = node.state();
    evaluate(node, round);
    for (UUID other : sorted(state.mayServe())) {
      if (other.equals(node.id) || !state.view().contains(other)) {
        continue;
      }
      Node target = node(other);
      bring(
          node,
          other,
          () -> {
            boolean accepted =
                target != null
                    && !target.ended
                    && (sabotage == Sabotage.NO_REFUSALS || contains(target, node.id));
            if (target != null) {
              bring(
                  target,
                  node.id,
                  () -> answered(node, round, other, accepted ? Answer.ACCEPTED : Answer.REFUSED));
            }
          });
      later(PING_TIMEOUT, () -> timedOut(node, round, other));
    }
  }

  private void answered(Node node, LeaseRound round, UUID other, Answer answer) {
    if (now - round.sentNanos() <= PING_TIMEOUT) {
      round.answered(other, answer);
      evaluate(node, round);
    }
  }

  private void timedOut(Node node, LeaseRound round, UUID other) {
    if (node.paused) {
      later(MAX_DELAY, () -> timedOut(node, round, other));
    } else if (!round.hasAnswerOf(other)) {
      round.answered(other, Answer.SILENT);
      evaluate(node, round);
    }
  }

  private void evaluate(Node node, LeaseRound round) {
    if (node.gone || node.ended) {
      return;
    }
    List<Membership> electorates = electorates(node);
    if (round.isExpelled(electorates, smallGrids)) {
      node.ended = true;
    } else if (round.grants(node.id, node.view(), electorates, smallGrids)) {
      node.heldUntil = Math.max(node.heldUntil, round.sentNanos() + TERM);
    }
  }

  private boolean serves(Node node) {
    return node.isUp() && !node.ended && node.synced && node.heldUntil > now;
  }

  // ---- replicas

  /** A node that joined has everything once all have followed its join and one of them gives it. */
  private void sync(Node node) {
    if (node.synced) {
      return;
    }
    List<Node> others =
        node.view().ids().stream()
            .filter(id -> !id.equals(node.id))
            .map(this::node)
            .filter(n -> n != null && n.isUp() && connected(n, node))
            .toList();
    boolean complete = others.size() == node.view().size() - 1;
    if (complete && others.stream().allMatch(n -> contains(n, node.id))) {
      others.forEach(n -> node.applied = Math.max(node.applied, n.applied));
      node.synced = true;
    }
  }

  // ---- publishing, as GridFence has it

  private void publish(Node at) {
    if (at.ended || at.state().lostMajorityOf() != null) {
      publishesRefused++;
      return;
    }
    Publish publish = new Publish(at, ++lastGeneration);
    publishes.add(publish);
    apply(at, publish.generation);
    for (UUID other : sorted(at.view().ids())) {
      Node target = node(other);
      if (target != null && target != at) {
        replicate(at, target, publish.generation);
      }
    }
  }

  /** The replica takes the change at some time, if the two are still in one ring then. */
  private void replicate(Node from, Node to, long generation) {
    later(
        random.nextInt(100),
        () -> {
          if (from.gone || to.gone || !contains(from, to.id) || !contains(to, from.id)) {
            return;
          }
          if (from.isUp() && to.isUp() && connected(from, to)) {
            apply(to, generation);
          } else {
            replicate(from, to, generation);
          }
        });
  }

  private static void apply(Node node, long generation) {
    node.applied = Math.max(node.applied, generation);
  }

  private void step(Publish publish) {
    Node at = publish.at;
    MembershipState state = at.state();
    if (state.ended() || state.lostMajorityOf() != null) {
      publishesRefused++;
      publishes.remove(publish);
      return;
    }
    MembershipState asked = publish.asked;
    if (!publish.confirmed) {
      if (asked == null || !state.isSettled() || !asked.mayServe().equals(state.mayServe())) {
        publish.asked = state.isSettled() ? state : null;
        publish.unconfirmed.clear();
        publish.unconfirmed.addAll(state.mayServe());
        publish.unconfirmed.remove(at.id);
        publish.nextQuestion = now;
        return;
      }
      if (sabotage == Sabotage.NO_QUESTIONS) {
        publish.unconfirmed.clear();
      }
      if (publish.unconfirmed.isEmpty()) {
        publish.confirmed = true;
      } else if (now >= publish.nextQuestion) {
        publish.nextQuestion = now + 100;
        sorted(publish.unconfirmed).forEach(other -> ask(publish, asked, other));
      }
    }
    if (publish.confirmed && asked != null) {
      boolean mustWait = asked.outsidersServeUntilNanos() > now;
      if (mustWait && sabotage != Sabotage.NO_WAIT_FOR_OUTSIDERS) {
        waitsForOutsiders++;
        return;
      }
      publishesDone++;
      published = Math.max(published, publish.generation);
      publishes.remove(publish);
    }
  }

  private void ask(Publish publish, MembershipState asked, UUID other) {
    Node target = node(other);
    bring(
        publish.at,
        other,
        () -> {
          if (target != null
              && !target.ended
              && contains(target, publish.at.id)
              && target.applied >= publish.generation) {
            bring(
                target,
                publish.at.id,
                () -> {
                  if (asked.equals(publish.asked) && contains(publish.at, other)) {
                    publish.unconfirmed.remove(other);
                  }
                });
          }
        });
  }

  // ---- what must hold

  private void check() {
    for (Node node : nodes) {
      if (serves(node)) {
        checks++;
        if (node.applied < published) {
          throw new AssertionError(
              "at %d node %s serves generation %d, %d was published; it counts with %s in view %s"
                  .formatted(
                      now,
                      node.name,
                      node.applied,
                      published,
                      node.state().electorates(),
                      node.view()));
        }
      }
    }
  }

  /** Lets everything that was held up happen, and says whether all who could serve then do. */
  void settle() {
    nodes.forEach(n -> side.put(n.id, 0));
    nodes.stream().filter(n -> n.paused).forEach(this::wake);
    lossRate = 0;
    run(20 * TERM);
    for (Node node : nodes) {
      List<Node> ring = nodes.stream().filter(n -> n.isUp() && node.view().contains(n.id)).toList();
      boolean together =
          node.isUp()
              && ring.size() == node.view().size()
              && ring.stream().allMatch(n -> !n.ended && n.view().equals(node.view()));
      boolean enough =
          ring.stream().allMatch(n -> n.state().lostMajorityOf() == null)
              && ring.stream().anyMatch(n -> !n.state().electorates().isEmpty());
      if (together && enough && !serves(node)) {
        throw new AssertionError(
            "node %s could serve and does not: %s".formatted(node.name, node.state()));
      }
    }
  }

  int publishesDone() {
    return publishesDone;
  }

  int publishesRefused() {
    return publishesRefused;
  }

  /** How often a node that serves was looked at. */
  int checks() {
    return checks;
  }

  /** Steps in which a publish waited for a lease that may be out. */
  int waitsForOutsiders() {
    return waitsForOutsiders;
  }

  boolean someoneServes() {
    return nodes.stream().anyMatch(this::serves);
  }
}
