package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** The membership of node 1, as the test says; its letters go to the test. */
final class FakeMembership implements LocalMembership {
  private final SmallGrids smallGrids;
  private final Signal signal = new Signal();
  private final List<UUID> sentTo = new ArrayList<>();
  private BiConsumer<UUID, Letter> reader = (to, letter) -> {};
  private volatile MembershipState state;
  private volatile boolean expelled;
  private volatile boolean closed;

  FakeMembership(SmallGrids smallGrids, int... nodes) {
    this.smallGrids = smallGrids;
    state = settled(0, nodes);
  }

  static UUID id(int node) {
    return new UUID(7, node);
  }

  static Membership membership(int... nodes) {
    Map<UUID, String> names = new HashMap<>();
    Arrays.stream(nodes).forEach(node -> names.put(id(node), "node" + node));
    return new Membership(1, names);
  }

  private static MembershipState settled(long outsidersServeUntilNanos, int... nodes) {
    Membership membership = membership(nodes);
    return new MembershipState(
        membership, List.of(membership), null, outsidersServeUntilNanos, false);
  }

  /** These nodes are the grid, and nobody else can serve from that time on. */
  void settle(long outsidersServeUntilNanos, int... nodes) {
    become(settled(outsidersServeUntilNanos, nodes));
  }

  /** Of the membership only these nodes are in the view. */
  void see(@Nullable Membership lost, int... view) {
    become(
        new MembershipState(
            membership(view), state.electorates(), lost, state.outsidersServeUntilNanos(), false));
  }

  void become(MembershipState next) {
    state = next;
    signal.raise();
  }

  void reader(BiConsumer<UUID, Letter> next) {
    reader = next;
  }

  synchronized List<UUID> sentTo() {
    return List.copyOf(sentTo);
  }

  boolean isExpelled() {
    return expelled;
  }

  void close() {
    closed = true;
    signal.raise();
  }

  @Override
  public UUID self() {
    return id(1);
  }

  @Override
  public SmallGrids smallGrids() {
    return smallGrids;
  }

  @Override
  public MembershipState state() {
    return state;
  }

  @Override
  public Signal signal() {
    return signal;
  }

  @Override
  public void send(Collection<UUID> nodes, Letter letter) {
    synchronized (this) {
      sentTo.addAll(nodes);
    }
    nodes.forEach(node -> reader.accept(node, letter));
  }

  @Override
  public void expelled() {
    expelled = true;
  }

  @Override
  public Optional<String> trouble() {
    return state.lostMajorityOf() == null ? Optional.empty() : Optional.of("no majority");
  }

  @Override
  public boolean isClosed() {
    return closed;
  }
}
