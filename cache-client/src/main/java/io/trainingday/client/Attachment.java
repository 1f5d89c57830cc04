package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a session with a node while there is one to be had. It is the circuit breaker: after a
 * missed answer there is no session, which costs a batch nothing, until a node has greeted again.
 *
 * <p>Home is the node that was named, or the one of this host. When it goes, any other node of its
 * grid takes its place; home is looked for once a second meanwhile, and gets its place back. A
 * session that is replaced ends when the batches under way on it have, and its leases are used. So
 * does the session of a node that says that it goes, as soon as another one is there or none.
 */
final class Attachment implements Session.Events, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Attachment.class);
  private static final long RETRY_MILLIS = 1_000;
  private static final long ASK_FOR_OTHERS_MILLIS = 5_000;
  private static final long LISTEN_MILLIS = 250;

  private static final int MAX_FAILURES_TOLD = 3;

  /** For one node while others may be had; one that hangs must not hold up the rest for long. */
  private static final Duration QUICK_GREETING = Duration.ofMillis(RETRY_MILLIS);

  private final @Nullable String argument;
  private final Connector connector;
  private final OtherNodes others = new OtherNodes();
  private final Background finder = new Background("training-day-finder");

  private volatile @Nullable Session session;
  private volatile @Nullable Exception homeFailure;
  private volatile boolean closed;
  // Guarded by this.
  private final Set<Session> replaced = new HashSet<>();
  private final Notices notices = new Notices();
  private @Nullable IOException lostBecause;
  private long attachedNanos;
  private @Nullable Future<?> nextLook;

  Attachment(@Nullable String argument, Connector connector, Background background) {
    this.argument = argument;
    this.connector = connector;
    Future<?> unused = background.every(this::askForOthers, ASK_FOR_OTHERS_MILLIS);
    Future<?> unusedToo = background.every(this::listen, LISTEN_MILLIS);
  }

  /** The session there is, null while there is none. Never blocks. */
  @Nullable Session session() {
    return session;
  }

  /** Why home could not be had when it was looked for last; null if it never was away. */
  @Nullable Exception homeFailure() {
    return homeFailure;
  }

  /** Looks for home now, and from time to time while it is not there. */
  void attach() {
    LaneAddress home = LaneAddress.find(argument, System.getenv());
    Session current = session;
    if (current != null && current.address().equals(home)) {
      return;
    }
    try {
      Duration timeout = others.isEmpty() ? Connector.GREETING_TIMEOUT : QUICK_GREETING;
      attachedHome(connector.connect(home, timeout, this));
      askForOthers();
    } catch (IOException | LaneException e) {
      homeFailure = e;
      if (session == null) {
        attachElsewhere(home, e);
      }
      lookAgain(RETRY_MILLIS);
    }
  }

  private void attachElsewhere(LaneAddress home, Exception homeFailed) {
    List<String> failures = new ArrayList<>();
    for (LaneAddress other : others.inRandomOrder()) {
      if (closed) {
        return;
      }
      try {
        attachedElsewhere(home, connector.connect(other, QUICK_GREETING, this), homeFailed);
        askForOthers();
        return;
      } catch (IOException | LaneException e) {
        failures.add("%s: %s".formatted(other, e.getMessage()));
      }
    }
    nowhere(home, homeFailed, failures);
  }

  private synchronized void attachedHome(Session fresh) {
    if (!take(fresh)) {
      return;
    }
    lostBecause = null;
    if (notices.isSomethingSaid()) {
      LOG.info("the cache node at {} is there, samples come from the cache", fresh.address());
      notices.homeAgain();
    }
  }

  private synchronized void attachedElsewhere(
      LaneAddress home, Session fresh, Exception homeFailed) {
    if (!take(fresh)) {
      return;
    }
    if (notices.mayTellOfElsewhere()) {
      LOG.warn(
          "the cache node at {} is lost: {}. Samples come through the one at {} until it is back, "
              + "which is slower",
          home,
          why(homeFailed),
          fresh.address());
    } else {
      LOG.debug("samples come through the cache node at {}", fresh.address());
    }
  }

  private synchronized void nowhere(LaneAddress home, Exception homeFailed, List<String> others) {
    if (closed || !notices.mayTellOfNowhere()) {
      return;
    }
    if (lostBecause != null) {
      LOG.warn(
          "the cache node at {} is lost: {}. No other one can be had ({}). Samples come from the "
              + "origin until one is there",
          home,
          why(homeFailed),
          others.stream().limit(MAX_FAILURES_TOLD).collect(Collectors.joining("; ")));
    } else {
      LOG.warn(
          "no cache node at {} ({}): {}. Samples come from the origin until one is there: start one "
              + "with `training-day serve`, or say where it is in {}",
          home,
          home.source(),
          homeFailed.getMessage(),
          LaneAddress.VARIABLE);
    }
  }

  private @Nullable String why(Exception homeFailed) {
    return lostBecause == null ? homeFailed.getMessage() : lostBecause.getMessage();
  }

  private boolean take(Session fresh) {
    if (closed) {
      fresh.close();
      return false;
    }
    Session former = session;
    session = fresh;
    attachedNanos = System.nanoTime();
    replaced.removeIf(Session::isClosed);
    if (former != null) {
      replaced.add(former);
      former.closeWhenUnused();
    }
    return true;
  }

  private void listen() {
    Session current = session;
    if (current != null) {
      current.listen();
    }
  }

  @Override
  public void going(Session old) {
    Future<?> unused = finder.later(() -> leave(old), 0);
  }

  /** The node still answers: nobody waits while another one is looked for. */
  private void leave(Session old) {
    if (session != old) {
      return;
    }
    LaneAddress home = LaneAddress.find(argument, System.getenv());
    IOException going =
        new IOException("the cache node at %s is stopping".formatted(old.address()));
    if (old.address().equals(home)) {
      homeFailure = going;
    } else {
      attach();
    }
    if (session == old) {
      attachElsewhere(home, going);
    }
    if (session == old) {
      detach(old, going);
    }
    lookAgain(RETRY_MILLIS);
  }

  private synchronized void detach(Session old, IOException going) {
    if (session == old && !closed) {
      session = null;
      lostBecause = going;
      replaced.removeIf(Session::isClosed);
      replaced.add(old);
      old.closeWhenUnused();
    }
  }

  @Override
  public synchronized void lost(Session old, IOException e) {
    if (session != old) {
      return;
    }
    session = null;
    lostBecause = e;
    if (closed) {
      return;
    }
    if (others.isEmpty()) {
      if (notices.mayTellOfNowhere()) {
        LOG.warn(
            "the connection to the cache node is lost: {}. Samples come from the origin until it is back",
            e.getMessage());
      }
      lookAgain(RETRY_MILLIS);
    } else {
      // At once, but not again and again when nodes greet and then break.
      boolean lasted =
          System.nanoTime() - attachedNanos > TimeUnit.MILLISECONDS.toNanos(RETRY_MILLIS);
      lookAgain(lasted ? 0 : RETRY_MILLIS);
    }
  }

  private void askForOthers() {
    Session current = session;
    if (current != null) {
      others.askAt(current);
    }
  }

  /** One look is ahead at any time, however often nodes are lost. */
  private synchronized void lookAgain(long delayMillis) {
    Future<?> pending = nextLook;
    if (pending != null) {
      pending.cancel(false);
    }
    nextLook = finder.later(this::attachAgain, delayMillis);
  }

  private void attachAgain() {
    try {
      attach();
    } catch (RuntimeException e) {
      lookAgain(RETRY_MILLIS);
      throw e;
    }
  }

  @Override
  public void close() {
    List<Session> last = new ArrayList<>();
    synchronized (this) {
      closed = true;
      last.addAll(replaced);
      Session current = session;
      if (current != null) {
        last.add(current);
      }
      session = null;
    }
    finder.close();
    last.forEach(Session::close);
  }
}
