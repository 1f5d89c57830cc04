package io.trainingday.node.peer;

import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.trainingday.lane.LaneAccess;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The other nodes of the grid, one {@link Peer} each: made when first needed, ended when the node
 * leaves. Safe for any number of threads.
 */
public final class Peers implements AutoCloseable {
  private static final int MAX_NUMBER = 65_535;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final Ownership ownership;
  private final Shared shared;
  private final MultiThreadIoEventLoopGroup threads;
  private final Map<UUID, Peer> peers = new ConcurrentHashMap<>();
  private final Map<Integer, Peer> byNumber = new ConcurrentHashMap<>();
  private int lastNumber;
  private volatile boolean closed;

  /**
   * Begins to follow the grid's members; connects to none yet.
   *
   * @param access what this node shows to the others now
   * @param answerTimeout after which a node that says nothing at all is taken for gone
   * @param maxRecordBytes the largest record taken from a peer
   */
  public Peers(
      Ownership ownership,
      Supplier<LaneAccess> access,
      Duration answerTimeout,
      int maxRecordBytes) {
    this.ownership = ownership;
    shared =
        new Shared(
            localId(ownership), access, Math.toIntExact(answerTimeout.toMillis()), maxRecordBytes);
    int loops = Math.max(1, Math.min(4, Runtime.getRuntime().availableProcessors() / 2));
    threads =
        new MultiThreadIoEventLoopGroup(
            loops, new DefaultThreadFactory("peer", true), EpollIoHandler.newFactory());
    ownership.onChange(this::closeDeparted);
  }

  private static UUID localId(Ownership ownership) {
    return ownership.members().stream()
        .filter(Member::local)
        .findAny()
        .orElseThrow(() -> new IllegalStateException("this node is no member of its own grid"))
        .id();
  }

  /** This node's own id. */
  public UUID localId() {
    return shared.localId();
  }

  /** The peer that a member of the grid is. Not for the local node. */
  public Peer of(Member member) {
    Peer known = peers.get(member.id());
    return known == null ? make(member) : known;
  }

  private synchronized Peer make(Member member) {
    return peers.computeIfAbsent(
        member.id(),
        id -> {
          do {
            lastNumber = lastNumber % MAX_NUMBER + 1;
          } while (byNumber.containsKey(lastNumber));
          Peer made = new Peer(member, lastNumber, shared, threads.next());
          byNumber.put(made.number(), made);
          if (closed) {
            made.close();
          }
          return made;
        });
  }

  /** The peer of that {@link Peer#number}, null when it has left the grid. */
  public @Nullable Peer numbered(int number) {
    return byNumber.get(number);
  }

  /**
   * Asks a node for a sign of life. Completes exceptionally when there is no answer in time or no
   * such member.
   */
  public CompletableFuture<Pong> ping(UUID member, Ping ping) {
    for (Member one : ownership.members()) {
      if (one.id().equals(member)) {
        return of(one).ping(ping);
      }
    }
    return CompletableFuture.failedFuture(new PeerException("node " + member + " is no member"));
  }

  /**
   * Asks another node for its part of the answer to an administrator's question. Completes
   * exceptionally when there is no answer in time.
   */
  public CompletableFuture<String> ask(Member member, String question) {
    return of(member).ask(question);
  }

  /** What the peer lane has done on this node's side. */
  public PeerStats stats() {
    return new PeerStats(shared.broken.sum(), shared.lateLeases.sum());
  }

  private void closeDeparted() {
    Set<UUID> members =
        ownership.members().stream().map(Member::id).collect(Collectors.toUnmodifiableSet());
    for (Peer peer : peers.values()) {
      if (!members.contains(peer.member().id())) {
        forget(peer);
      }
    }
  }

  private synchronized void forget(Peer peer) {
    peers.remove(peer.member().id());
    byNumber.remove(peer.number());
    peer.close();
  }

  /** Ends all connections; returns when nothing is landing any more. Safe to call again. */
  @Override
  public void close() {
    closed = true;
    peers.values().forEach(Peer::close);
    var unused = threads.shutdownGracefully(0, CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    threads.terminationFuture().awaitUninterruptibly(2 * CLOSE_TIMEOUT.toMillis());
  }

  /** What all peers have in common. */
  static final class Shared {
    private final UUID localId;
    private final Supplier<LaneAccess> access;
    private final int answerTimeoutMillis;
    private final int maxRecordBytes;
    private final LongAdder broken = new LongAdder();
    private final LongAdder lateLeases = new LongAdder();

    Shared(UUID localId, Supplier<LaneAccess> access, int answerTimeoutMillis, int maxRecordBytes) {
      this.localId = localId;
      this.access = access;
      this.answerTimeoutMillis = answerTimeoutMillis;
      this.maxRecordBytes = maxRecordBytes;
    }

    UUID localId() {
      return localId;
    }

    LaneAccess access() {
      return access.get();
    }

    int answerTimeoutMillis() {
      return answerTimeoutMillis;
    }

    int maxRecordBytes() {
      return maxRecordBytes;
    }

    void countBroken() {
      broken.increment();
    }

    void countLateLease() {
      lateLeases.increment();
    }
  }
}
