package io.trainingday.node.tier;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.PeerFill;
import io.trainingday.lane.PeerMessage.PeerFillReply;
import io.trainingday.lane.PeerMessage.PeerFillResult;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordStore;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the records that this node owns to the disks of the other nodes that hold their partition,
 * and waits for them: so no more is under way than there are threads that store fills, and a grid
 * whose disks are slow takes fills as slowly. A node that takes no copy within the time makes it a
 * lost one, which is counted; the record has then one copy fewer.
 */
final class DiskCopies {
  private static final Logger LOG = LoggerFactory.getLogger(DiskCopies.class);
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long BUSY_REST_MILLIS = 5;

  private final Ownership ownership;
  private final Peers peers;
  private final LongAdder sent = new LongAdder();
  private final LongAdder lost = new LongAdder();

  DiskCopies(Ownership ownership, Peers peers) {
    this.ownership = ownership;
    this.peers = peers;
  }

  /** Copies that other nodes took. */
  long sent() {
    return sent.sum();
  }

  /** Copies that a node which is to hold them did not take. */
  long lost() {
    return lost.sum();
  }

  /** Sends a record to all who are to hold it but this node; waits, some seconds at most. */
  void send(RecordStore store, SampleKey key, byte[] record) {
    List<Member> left = holders(store, key);
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    try {
      while (!left.isEmpty()) {
        left = sendOnce(store, key, record, left, deadline);
        if (System.nanoTime() - deadline > 0) {
          break;
        }
        if (!left.isEmpty()) {
          TimeUnit.MILLISECONDS.sleep(BUSY_REST_MILLIS);
        }
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
    }
    lost.add(left.size());
  }

  /** Those that hold the whole partition, and those it is arriving at. */
  private List<Member> holders(RecordStore store, SampleKey key) {
    Map<UUID, Member> members =
        ownership.members().stream().collect(Collectors.toMap(Member::id, Function.identity()));
    Set<UUID> ids = new LinkedHashSet<>(store.targets(key));
    return ids.stream()
        .map(members::get)
        .filter(member -> member != null && !member.local())
        .toList();
  }

  /** The nodes that have no room just now. */
  private List<Member> sendOnce(
      RecordStore store, SampleKey key, byte[] record, List<Member> holders, long deadline)
      throws InterruptedException {
    List<CompletableFuture<PeerFillReply>> replies = new ArrayList<>();
    for (Member holder : holders) {
      replies.add(
          peers
              .of(holder)
              .fill(
                  new PeerFill(
                      PeerKeys.of(key, store),
                      true,
                      true,
                      key.index(),
                      key.sampleVersion(),
                      ByteBuffer.wrap(record))));
    }
    List<Member> again = new ArrayList<>();
    for (int i = 0; i < holders.size(); i++) {
      PeerFillResult result = result(replies.get(i), deadline, key);
      if (result == PeerFillResult.TAKEN) {
        sent.increment();
      } else if (result == PeerFillResult.BUSY || result == PeerFillResult.DAMAGED) {
        again.add(holders.get(i));
      } else {
        lost.increment();
      }
    }
    return again;
  }

  private static @Nullable PeerFillResult result(
      CompletableFuture<PeerFillReply> reply, long deadline, SampleKey key)
      throws InterruptedException {
    try {
      long left = Math.max(0, deadline - System.nanoTime());
      return reply.get(left, TimeUnit.NANOSECONDS).result();
    } catch (ExecutionException | TimeoutException failure) {
      LOG.debug("the copy of {} was not taken", key, failure);
      return null;
    }
  }
}
