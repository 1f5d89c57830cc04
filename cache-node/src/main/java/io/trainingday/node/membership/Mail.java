package io.trainingday.node.membership;

import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteBiPredicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Letters between nodes, over Ignite's messages. A letter may be lost, come late or out of order:
 * whoever needs one sends it again. Sending never waits: Ignite may, for a node that is dead or
 * paused, so each node has a thread of its own and a short queue that forgets its oldest.
 */
final class Mail implements AutoCloseable {
  /** Takes letters, on Ignite's threads. */
  interface Reader {
    void read(UUID from, Letter letter);
  }

  private static final Logger LOG = LoggerFactory.getLogger(Mail.class);
  private static final String TOPIC = "training-day.membership";
  private static final int MAX_QUEUED = 16;

  private final Ignite ignite;
  private final Map<UUID, ExecutorService> senders = new ConcurrentHashMap<>();
  private @Nullable IgniteBiPredicate<UUID, byte[]> listener;

  Mail(Ignite ignite) {
    this.ignite = ignite;
  }

  /** Starts to take letters; once. */
  void listen(Reader reader) {
    IgniteBiPredicate<UUID, byte[]> made =
        (from, bytes) -> {
          read(reader, from, bytes);
          return true;
        };
    listener = made;
    ignite.message().localListen(TOPIC, made);
  }

  private static void read(Reader reader, UUID from, byte[] bytes) {
    try {
      Letter letter = LetterCodec.decode(bytes);
      if (letter != null) {
        reader.read(from, letter);
      }
    } catch (RuntimeException e) {
      LOG.error("Cannot read a letter from node {}.", from, e);
    }
  }

  void send(Collection<UUID> nodes, Letter letter) {
    byte[] bytes = LetterCodec.encode(letter);
    for (UUID node : nodes) {
      senders.computeIfAbsent(node, Mail::sender).execute(() -> send(node, bytes));
    }
  }

  private void send(UUID node, byte[] bytes) {
    try {
      ignite.message(ignite.cluster().forNodeId(node)).send(TOPIC, bytes);
    } catch (IgniteException | IllegalStateException e) {
      // It is gone, or this node stops: discovery tells what follows from that.
      LOG.debug("No letter to node {}.", node, e);
    }
  }

  private static ExecutorService sender(UUID node) {
    ThreadPoolExecutor sender =
        new ThreadPoolExecutor(
            1,
            1,
            10,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MAX_QUEUED),
            task -> {
              Thread thread = new Thread(task, "membership-mail-" + node);
              thread.setDaemon(true);
              return thread;
            },
            new ThreadPoolExecutor.DiscardOldestPolicy());
    sender.allowCoreThreadTimeOut(true);
    return sender;
  }

  /** Forgets nodes that are gone. */
  void keepOnly(Collection<UUID> nodes) {
    senders
        .entrySet()
        .removeIf(
            sender -> {
              boolean gone = !nodes.contains(sender.getKey());
              if (gone) {
                sender.getValue().shutdownNow();
              }
              return gone;
            });
  }

  @Override
  public void close() {
    IgniteBiPredicate<UUID, byte[]> made = listener;
    if (made != null) {
      ignite.message().stopLocalListen(TOPIC, made);
    }
    keepOnly(Set.of());
  }
}
