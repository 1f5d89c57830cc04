package io.trainingday.node.tier;

import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteBiPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Of which partitions each node has records on its disk, whether it owns them or not: a bit for
 * each partition, told to all other nodes when it changes and to those that come. So the owner of a
 * partition that has moved knows whom to ask, however long ago that was, and asks nobody when there
 * is nobody.
 */
final class Holdings implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Holdings.class);
  private static final String TOPIC = "training-day-holdings";
  private static final long LOOK_MILLIS = 500;

  // A message is a long[]: its kind, then the bits.
  private static final long TELL = 0;
  private static final long TELL_AND_ASK = 1;

  private final Ignite ignite;
  private final Ownership ownership;
  private final int partitions;
  private final ScheduledExecutorService thread;
  private final IgniteBiPredicate<UUID, Object> listener = this::received;
  private final Map<UUID, BitSet> others = new ConcurrentHashMap<>();
  private volatile BitSet anyOther = new BitSet();

  // Guarded by this.
  private BitSet held = new BitSet();
  private BitSet storedLately = new BitSet();
  private BitSet told = new BitSet();

  Holdings(Ignite ignite, Ownership ownership, int partitions) {
    this.ignite = ignite;
    this.ownership = ownership;
    this.partitions = partitions;
    thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread created = new Thread(task, "training-day-holdings");
              created.setDaemon(true);
              return created;
            });
  }

  void start() {
    ignite.message().localListen(TOPIC, listener);
    ownership.onChange(() -> onThread(this::membersChanged));
    onThread(this::membersChanged);
    var unused =
        thread.scheduleWithFixedDelay(
            safely(
                () -> {
                  if (isNew()) {
                    tellAll(TELL);
                  }
                }),
            LOOK_MILLIS,
            LOOK_MILLIS,
            TimeUnit.MILLISECONDS);
  }

  /** A record of the partition was stored here. */
  synchronized void stored(int partition) {
    held.set(partition);
    storedLately.set(partition);
  }

  /** Begins to count anew what is held. */
  synchronized void countingBegins() {
    storedLately = new BitSet();
  }

  /** All that is held was counted; what was stored meanwhile may be missing in it. */
  synchronized void counted(BitSet found) {
    held = (BitSet) found.clone();
    held.or(storedLately);
  }

  /** Whether any other node has records of the partition on its disk. */
  boolean isElsewhere(int partition) {
    return anyOther.get(partition);
  }

  /** The other nodes that have records of the partition on their disks. */
  List<Member> elsewhere(int partition) {
    return ownership.members().stream()
        .filter(
            member -> {
              BitSet theirs = member.local() ? null : others.get(member.id());
              return theirs != null && theirs.get(partition);
            })
        .toList();
  }

  private synchronized boolean isNew() {
    return !held.equals(told);
  }

  private void membersChanged() {
    Set<UUID> members =
        ownership.members().stream().map(Member::id).collect(Collectors.toUnmodifiableSet());
    others.keySet().retainAll(members);
    sumUp();
    tellAll(TELL_AND_ASK);
  }

  private void tellAll(long kind) {
    long[] message = message(kind);
    for (Member member : ownership.members()) {
      if (!member.local()) {
        send(member.id(), message);
      }
    }
  }

  private synchronized long[] message(long kind) {
    told = (BitSet) held.clone();
    long[] bits = told.toLongArray();
    long[] message = new long[bits.length + 1];
    message[0] = kind;
    System.arraycopy(bits, 0, message, 1, bits.length);
    return message;
  }

  private boolean received(UUID from, Object message) {
    if (message instanceof long[] numbers
        && numbers.length > 0
        && numbers.length <= 1 + (partitions + Long.SIZE - 1) / Long.SIZE) {
      BitSet theirs = BitSet.valueOf(Arrays.copyOfRange(numbers, 1, numbers.length));
      onThread(
          () -> {
            others.put(from, theirs);
            sumUp();
            if (numbers[0] == TELL_AND_ASK) {
              send(from, message(TELL));
            }
          });
    }
    return true;
  }

  private void sumUp() {
    BitSet sum = new BitSet();
    others.values().forEach(sum::or);
    anyOther = sum;
  }

  private void send(UUID to, long[] message) {
    try {
      ignite.message(ignite.cluster().forNodeId(to)).send(TOPIC, message);
    } catch (IgniteException | IllegalStateException goneOrStopping) {
      LOG.debug("no message to {}: {}", to, goneOrStopping.toString());
    }
  }

  private void onThread(Runnable task) {
    try {
      thread.execute(safely(task));
    } catch (RejectedExecutionException closed) {
      LOG.debug("the node stops", closed);
    }
  }

  private static Runnable safely(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException failure) {
        // The thread must go on: the next turn comes all the same.
        LOG.warn("Could not tell other nodes what is on this node's disk", failure);
      }
    };
  }

  @Override
  public void close() {
    thread.shutdownNow();
    try {
      ignite.message().stopLocalListen(TOPIC, listener);
    } catch (IgniteException | IllegalStateException stopping) {
      LOG.debug("still listening: {}", stopping.toString());
    }
  }
}
