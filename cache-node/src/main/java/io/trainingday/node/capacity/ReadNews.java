package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Function;
import org.agrona.collections.LongArrayList;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteBiPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the primaries of records what was read of their copies here: they decide which records go,
 * and see only what is read where they are. Thread-safe.
 *
 * <p>At best effort, for an order of victims is none the worse for a read it has not heard of: what
 * comes faster than it is sent is dropped and counted, and a message that is lost is not repeated.
 * What was told is not told on, so that nodes of different opinions pass nothing to and fro.
 */
final class ReadNews implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ReadNews.class);
  private static final String TOPIC = "training-day-reads";

  /** Keys that may wait: some 64 bytes each. Four turns a second, it is a quarter of a million. */
  private static final int MOST_WAITING = 1 << 16;

  /** So many indices in a message: 32 KiB. */
  private static final int MOST_PER_MESSAGE = 4_096;

  // A message is a long[]: what its keys have in common, then their indices.
  private static final int COMMON_NUMBERS = 5;

  private record Target(
      UUID node, long dataset, long incarnation, long pipeline, long sampleVersion, int variant) {
    static Target of(UUID node, SampleKey key) {
      return new Target(
          node,
          key.dataset(),
          key.incarnation(),
          key.pipeline(),
          key.sampleVersion(),
          key.variant());
    }
  }

  private final Ignite ignite;
  private final Function<SampleKey, Optional<UUID>> otherPrimary;
  private final Consumer<SampleKey[]> heard;
  private final LongAdder told = new LongAdder();
  private final LongAdder heardOf = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private final IgniteBiPredicate<UUID, Object> listener = this::received;
  private volatile boolean alone = true;

  // Guarded by this.
  private List<SampleKey> waiting = new ArrayList<>();

  /**
   * @param otherPrimary the node that decides about a record, empty where it is this one
   * @param heard told what was read elsewhere of records that this node decides about, all of one
   *     data set
   */
  ReadNews(
      Ignite ignite,
      Function<SampleKey, Optional<UUID>> otherPrimary,
      Consumer<SampleKey[]> heard) {
    this.ignite = ignite;
    this.otherPrimary = otherPrimary;
    this.heard = heard;
  }

  void start() {
    ignite.message().localListen(TOPIC, listener);
  }

  /** Says whether there is anybody to tell. */
  void alone(boolean isAlone) {
    alone = isAlone;
  }

  /** A record was read here about which another node may decide. Some nanoseconds, never waits. */
  void read(SampleKey key) {
    if (alone) {
      return;
    }
    synchronized (this) {
      if (waiting.size() < MOST_WAITING) {
        waiting.add(key);
        return;
      }
    }
    dropped.increment();
  }

  /** Sends what has come since the last call. */
  void send() {
    List<SampleKey> keys;
    synchronized (this) {
      keys = waiting;
      waiting = new ArrayList<>();
    }
    Map<Target, LongArrayList> messages = new HashMap<>();
    for (SampleKey key : keys) {
      otherPrimary.apply(key).ifPresent(node -> add(messages, Target.of(node, key), key.index()));
    }
    messages.forEach(this::send);
  }

  private void add(Map<Target, LongArrayList> messages, Target target, long index) {
    LongArrayList indices = messages.computeIfAbsent(target, unused -> new LongArrayList());
    indices.addLong(index);
    if (indices.size() == MOST_PER_MESSAGE) {
      send(target, indices);
      messages.remove(target);
    }
  }

  private void send(Target to, LongArrayList indices) {
    long[] message = new long[COMMON_NUMBERS + indices.size()];
    message[0] = to.dataset;
    message[1] = to.incarnation;
    message[2] = to.pipeline;
    message[3] = to.sampleVersion;
    message[4] = to.variant;
    for (int i = 0; i < indices.size(); i++) {
      message[COMMON_NUMBERS + i] = indices.getLong(i);
    }
    try {
      ignite.message(ignite.cluster().forNodeId(to.node)).send(TOPIC, message);
      told.add(indices.size());
    } catch (IgniteException | IllegalStateException goneOrStopping) {
      LOG.debug("{} has not heard of reads: {}", to.node, goneOrStopping.toString());
      dropped.add(indices.size());
    }
  }

  private boolean received(UUID from, Object message) {
    if (message instanceof long[] numbers && numbers.length > COMMON_NUMBERS) {
      SampleKey[] keys = new SampleKey[numbers.length - COMMON_NUMBERS];
      for (int i = 0; i < keys.length; i++) {
        keys[i] =
            new SampleKey(
                numbers[0],
                numbers[1],
                numbers[2],
                numbers[3],
                (int) numbers[4],
                numbers[COMMON_NUMBERS + i]);
      }
      heard.accept(keys);
      heardOf.add(keys.length);
    }
    return true;
  }

  /** Reads that other nodes were told of. */
  long told() {
    return told.sum();
  }

  /** Reads elsewhere that this node was told of. */
  long heard() {
    return heardOf.sum();
  }

  /** Reads that they were not told of, because there were too many or no way to them. */
  long dropped() {
    return dropped.sum();
  }

  @Override
  public void close() {
    alone = true;
    try {
      ignite.message().stopLocalListen(TOPIC, listener);
    } catch (IgniteException | IllegalStateException stopping) {
      LOG.debug("still listening: {}", stopping.toString());
    }
  }
}
