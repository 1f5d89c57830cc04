package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a session with a node while there is one. It is the circuit breaker: after a missed answer
 * there is no session, which costs a batch nothing, until the node has greeted again. One
 * background thread looks for it once a second, renews leases and does what nobody waits for.
 */
final class Attachment implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Attachment.class);
  private static final long RETRY_MILLIS = 1_000;
  private static final Duration GREETING_TIMEOUT = Duration.ofSeconds(3);

  /** A node that comes and goes is told of this often at most. */
  private static final long REPEAT_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final @Nullable String argument;
  private final @Nullable Duration answerTimeout;
  private final LaneMemory memory;
  private final AtomicInteger wantedSlots;
  private final Background background = new Background();

  private volatile @Nullable Session session;
  private volatile boolean closed;
  // Guarded by this.
  private boolean saidLost;
  private long saidLostNanos;
  private @Nullable Future<?> renewals;

  /** Looks for a node, once, before it returns. */
  Attachment(
      @Nullable String argument,
      @Nullable Duration answerTimeout,
      LaneMemory memory,
      AtomicInteger wantedSlots) {
    this.argument = argument;
    this.answerTimeout = answerTimeout;
    this.memory = memory;
    this.wantedSlots = wantedSlots;
  }

  /** The session there is, null while there is none. Never blocks. */
  @Nullable Session session() {
    return session;
  }

  Background background() {
    return background;
  }

  /** Looks for the node now, and from time to time while it is not there. */
  void attach() {
    LaneAddress address = LaneAddress.find(argument, System.getenv());
    try {
      LaneConnection connection =
          LaneConnection.open(
              address,
              LaneMessage.Role.TRAINER,
              "",
              "java, process " + ProcessHandle.current().pid(),
              memory,
              (answerTimeout == null ? GREETING_TIMEOUT : answerTimeout).toNanos());
      attached(
          address,
          new Session(connection, answerTimeout, wantedSlots::get, background, this::lost));
    } catch (IOException | LaneException e) {
      away(address, e);
      retry();
    }
  }

  private synchronized void attached(LaneAddress address, Session fresh) {
    if (closed) {
      fresh.close();
      return;
    }
    session = fresh;
    if (saidLost) {
      LOG.info("the cache node at {} is there, samples come from the cache", address);
    }
    saidLost = false;
    long third = Math.max(1, fresh.limits().leaseTimeoutMillis() / 3);
    renewals = background.every(fresh::renewLeases, third);
  }

  private synchronized void away(LaneAddress address, Exception e) {
    if (!mayWarn()) {
      return;
    }
    LOG.warn(
        "no cache node at {} ({}): {}. Samples come from the origin until one is there: start one "
            + "with `training-day serve`, or say where it is in {}",
        address,
        address.source(),
        e.getMessage(),
        LaneAddress.VARIABLE);
  }

  private synchronized void lost(Session old, IOException e) {
    if (session != old) {
      return;
    }
    session = null;
    Future<?> ticking = renewals;
    if (ticking != null) {
      ticking.cancel(false);
    }
    if (closed) {
      return;
    }
    if (mayWarn()) {
      LOG.warn(
          "the connection to the cache node is lost: {}. Samples come from the origin until it is back",
          e.getMessage());
    }
    retry();
  }

  /** Once for each time the node is away, and not again and again when it comes and goes. */
  private synchronized boolean mayWarn() {
    long now = System.nanoTime();
    if (closed || saidLost || (saidLostNanos != 0 && now - saidLostNanos < REPEAT_NANOS)) {
      return false;
    }
    saidLost = true;
    saidLostNanos = now;
    return true;
  }

  private void retry() {
    background.later(this::attachAgain, RETRY_MILLIS);
  }

  private void attachAgain() {
    try {
      attach();
    } catch (RuntimeException e) {
      retry();
      throw e;
    }
  }

  @Override
  public void close() {
    Session last;
    synchronized (this) {
      closed = true;
      last = session;
      session = null;
    }
    if (last != null) {
      last.close();
    }
    background.close();
  }
}
