package io.trainingday.grid.discovery;

import io.trainingday.grid.discovery.Founding.Step;
import io.trainingday.grid.discovery.Status.Stage;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.spi.IgniteSpiContext;
import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.IgniteSpiOperationTimeoutHelper;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoveryIoSession;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.internal.TcpDiscoveryNode;
import org.apache.ignite.spi.discovery.tcp.messages.TcpDiscoveryAbstractMessage;
import org.apache.ignite.spi.discovery.tcp.messages.TcpDiscoveryPingResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ignite's discovery, but for who founds a ring. With Ignite's own, a node that reaches nobody
 * founds one, so nodes that start at the same moment may end in several, and rings never merge.
 * Here {@link Founding} decides before a node joins, and in a ring {@link OtherRings} looks for
 * others every few seconds.
 *
 * <p>Nodes ask each other on the discovery port, with TLS where Ignite has it; no other port is
 * opened. All threads it starts are daemons and end with the node.
 */
public final class GridDiscovery extends TcpDiscoverySpi {
  private static final Logger log = LoggerFactory.getLogger(GridDiscovery.class);

  /** What precedes a message that is serialised by Java; Ignite keeps the constant to itself. */
  private static final byte JAVA_SERIALIZATION = 1;

  /** Long for a network; a node that pauses for longer is asked again before it counts as gone. */
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(1);

  private static final Duration ROUND_PAUSE = Duration.ofMillis(200);
  private static final Duration LOOK_PERIOD = Duration.ofSeconds(5);
  private static final Duration REPORT_PERIOD = Duration.ofSeconds(30);

  /** A node that restarts, or whose certificate is just being renewed, gets a second look. */
  private static final int ROUNDS_OF_DISTRUST = 10;

  private static final int MAX_QUESTIONS_AT_ONCE = 32;

  /** As many as a list of addresses may have: whoever reaches the port may ask. */
  private static final int MAX_ASKERS = 1024;

  /** What is being answered on this thread. */
  private static final ThreadLocal<@Nullable RingQuestion> question = new ThreadLocal<>();

  private final boolean listMayGrow;
  private final Duration settleTime;
  private final Consumer<String> onMustGo;
  private final BiConsumer<String, Throwable> onRefused;
  private final Set<InetSocketAddress> askers = ConcurrentHashMap.newKeySet();
  private final ThreadPoolExecutor questions =
      new ThreadPoolExecutor(
          MAX_QUESTIONS_AT_ONCE,
          MAX_QUESTIONS_AT_ONCE,
          LOOK_PERIOD.toMillis() * 2,
          TimeUnit.MILLISECONDS,
          new LinkedBlockingQueue<>(),
          daemons("training-day-ring-question"));
  private final Thread watch = daemons("training-day-ring-watch").newThread(this::watch);

  /** Why TLS with those failed that were asked last. */
  private final Map<InetSocketAddress, String> distrust = new ConcurrentHashMap<>();

  private final OtherRings otherRings = new OtherRings();
  private volatile @Nullable Founding founding;
  private volatile boolean stopped;

  /**
   * Discovery of one node, to be started once.
   *
   * @param listMayGrow whether the finder's addresses may lack nodes for now, as those from DNS
   * @param settleTime how long a node that finds no ring waits for such a list, or for an address
   *     that neither answers nor refuses, before it founds one
   * @param onMustGo hears, once and on a thread of its own, why this node has to stop and start
   *     again: a better ring was found
   * @param onRefused hears, with TLS, who was refused and why, on that connection's thread
   */
  public GridDiscovery(
      boolean listMayGrow,
      Duration settleTime,
      Consumer<String> onMustGo,
      BiConsumer<String, Throwable> onRefused) {
    this.listMayGrow = listMayGrow;
    this.settleTime = settleTime;
    this.onMustGo = onMustGo;
    this.onRefused = onRefused;
    // Ignite keeps the reason of a failed handshake to itself, and has no other hook before it.
    addIncomeConnectionListener(this::shakeHands);
    questions.allowCoreThreadTimeOut(true);
  }

  /** The TLS handshake of one who connects, which has Ignite's network timeout. */
  private void shakeHands(Socket socket) {
    if (!(socket instanceof SSLSocket secured)) {
      return;
    }
    try {
      secured.startHandshake();
    } catch (IOException failure) {
      String from = String.valueOf(socket.getInetAddress()).replaceFirst("^[^/]*/", "");
      try {
        // Ignite reads next, finds it closed and says nothing.
        socket.close();
      } catch (IOException closing) {
        failure.addSuppressed(closing);
      }
      if (failure instanceof SSLException) {
        onRefused.accept(from, failure);
      } else {
        log.debug("{} was gone within the TLS handshake: {}", from, failure.toString());
      }
    }
  }

  private static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /**
   * Whom to send the request to join, empty to found a ring. Ignite asks again after every attempt
   * that failed.
   */
  @Override
  protected Collection<InetSocketAddress> resolvedAddresses() {
    Founding current = founding;
    if (current == null) {
      current = new Founding(locNode.id(), listMayGrow, settleTime);
      founding = current;
    }
    // A JVM that is told to end waits for the start, and Ignite interrupts that only later.
    Thread end = new Thread(() -> stopped = true, "training-day-ring-end");
    try {
      Runtime.getRuntime().addShutdownHook(end);
    } catch (IllegalStateException endsAlready) {
      throw new IgniteSpiException("the JVM ends while the node looks for its grid", endsAlready);
    }
    try {
      return decide(current);
    } finally {
      if (!stopped) {
        forget(end);
      }
    }
  }

  private static void forget(Thread end) {
    try {
      Runtime.getRuntime().removeShutdownHook(end);
    } catch (IllegalStateException ends) {
      log.debug("The JVM ends just after the node looked for its grid", ends);
    }
  }

  private Collection<InetSocketAddress> decide(Founding current) {
    long start = System.nanoTime();
    long reported = start - REPORT_PERIOD.toNanos();
    int rounds = 0;
    while (true) {
      Set<InetSocketAddress> listed = new HashSet<>(ipFinder.getRegisteredAddresses());
      Step step =
          current.next(
              System.nanoTime(),
              listed,
              listed.stream().anyMatch(locNodeAddrs::contains),
              ask(withAskers(listed), locNodeAddrs));
      rounds = distrust.isEmpty() ? 0 : rounds + 1;
      if (step instanceof Step.Join join) {
        return join.members();
      } else if (rounds > ROUNDS_OF_DISTRUST) {
        throw new IgniteSpiException(distrustText());
      } else if (!distrust.isEmpty()) {
        // Whom it does not trust may be the grid it is to join: no other one is founded beside it.
        current.stepBack();
        pause();
      } else if (step instanceof Step.Found) {
        return List.of();
      } else if (step instanceof Step.Wait wait) {
        long now = System.nanoTime();
        // The first second is the usual case of nodes that start side by side.
        if (now - start > TimeUnit.SECONDS.toNanos(1) && now - reported > REPORT_PERIOD.toNanos()) {
          reported = now;
          log.info(
              "No grid is found at {} after {} s, this node waits: {}",
              Founding.texts(listed),
              TimeUnit.NANOSECONDS.toSeconds(now - start),
              wait.reason());
        }
        pause();
      }
    }
  }

  private String distrustText() {
    return new TreeMap<>(
            distrust.entrySet().stream()
                .collect(Collectors.toMap(one -> Founding.text(one.getKey()), Map.Entry::getValue)))
        .entrySet().stream()
            .map(one -> "the node at %s: %s".formatted(one.getKey(), one.getValue()))
            .collect(Collectors.joining("; "));
  }

  /**
   * Ignite looks here for its own address, and founds a ring by itself only if it finds it. That is
   * decided above.
   */
  @Override
  protected Collection<InetSocketAddress> registeredAddresses() {
    return ipFinder.getRegisteredAddresses().stream()
        .filter(address -> !locNodeAddrs.contains(address))
        .toList();
  }

  private void pause() {
    try {
      TimeUnit.NANOSECONDS.sleep(ROUND_PAUSE.toNanos());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IgniteSpiException("interrupted while the node looked for its grid", e);
    }
    if (stopped || isNodeStopping()) {
      throw new IgniteSpiException("the node was stopped while it looked for its grid");
    }
  }

  private Set<InetSocketAddress> withAskers(Set<InetSocketAddress> listed) {
    Set<InetSocketAddress> all = new HashSet<>(listed);
    all.addAll(askers);
    return all;
  }

  /** Asks all of them but for some, many at a time. */
  private Map<InetSocketAddress, Sighting> ask(
      Set<InetSocketAddress> addresses, Collection<InetSocketAddress> but) {
    Map<InetSocketAddress, Future<Sighting>> asked = new HashMap<>();
    for (InetSocketAddress address : addresses) {
      if (!but.contains(address)) {
        asked.put(address, questions.submit(() -> ask(address)));
      }
    }
    Map<InetSocketAddress, Sighting> seen = new HashMap<>();
    asked.forEach((address, answer) -> seen.put(address, await(answer)));
    seen.forEach(
        (address, sighting) -> {
          if (sighting.kind() == Sighting.Kind.ABSENT) {
            askers.remove(address);
          }
          if (sighting.kind() != Sighting.Kind.SILENT) {
            distrust.remove(address);
          }
        });
    distrust.keySet().retainAll(seen.keySet());
    return seen;
  }

  private static Sighting await(Future<Sighting> answer) {
    try {
      return answer.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IgniteSpiException("interrupted while the node asked for its grid", e);
    } catch (ExecutionException e) {
      throw new IgniteSpiException("a node of the grid cannot be asked", e);
    }
  }

  private Sighting ask(InetSocketAddress address) {
    if (address.isUnresolved()) {
      return Sighting.SILENT;
    }
    long timeoutMillis = ANSWER_TIMEOUT.toMillis();
    try (Socket socket = openSocket(address, new IgniteSpiOperationTimeoutHelper(timeoutMillis))) {
      byte[] message =
          marshaller().marshal(new RingQuestion(locNode.id(), locNode.discoveryPort()));
      byte[] framed = new byte[message.length + 1];
      framed[0] = JAVA_SERIALIZATION;
      System.arraycopy(message, 0, framed, 1, message.length);
      socket.setSoTimeout(Math.toIntExact(timeoutMillis));
      writeToSocket(socket, null, framed, timeoutMillis);
      return Sighting.of(Status.read(socket.getInputStream()));
    } catch (ConnectException failure) {
      distrust.remove(address); // A host that is off says nothing about TLS.
      // Also thrown for a network that cannot be reached, behind which there may be a node.
      return String.valueOf(failure.getMessage()).contains("refused")
          ? Sighting.ABSENT
          : silent(address, failure);
    } catch (SocketTimeoutException slow) {
      distrust.remove(address);
      return silent(address, slow);
    } catch (IOException | IgniteCheckedException failure) {
      Optional<SSLException> refused = TlsTrouble.in(failure);
      if (refused.isPresent()) {
        distrust.put(address, TlsTrouble.of(refused.get()));
      } else if (sslEnable && failure instanceof IOException) {
        // The reset of a connection may overtake the alert that says why, so it replaces none.
        distrust.putIfAbsent(address, TlsTrouble.ENDED);
      }
      return silent(address, failure);
    }
  }

  private static Sighting silent(InetSocketAddress address, Exception failure) {
    log.debug("The node at {} does not say how far it is: {}", address, failure.toString());
    return Sighting.SILENT;
  }

  // Ignite's signature.
  @SuppressWarnings("TypeParameterUnusedInFormals")
  @Override
  protected <T> T readMessage(TcpDiscoveryIoSession session, long timeout)
      throws IOException, IgniteCheckedException {
    T message = super.readMessage(session, timeout);
    if (message instanceof RingQuestion asked) {
      if (askers.size() < MAX_ASKERS) {
        askers.add(new InetSocketAddress(session.socket().getInetAddress(), asked.port()));
      }
      // Ignite answers on this thread.
      question.set(asked);
    }
    return message;
  }

  @Override
  protected void writeMessage(
      TcpDiscoveryIoSession session, TcpDiscoveryAbstractMessage message, long timeout)
      throws IOException, IgniteCheckedException {
    RingQuestion asked = question.get();
    if (asked != null && message instanceof TcpDiscoveryPingResponse) {
      question.remove();
      answer(session.socket(), status(asked.creatorNodeId()), timeout);
    } else {
      super.writeMessage(session, message, timeout);
    }
  }

  /**
   * Answers and waits until the asker closes. Ignite closes next, which resets the connection and
   * may take the answer with it, and with TLS is logged as a failure if the asker has not closed.
   */
  private void answer(Socket socket, Status status, long timeout) {
    try {
      writeToSocket(socket, null, status.toBytes(), timeout);
      socket.setSoTimeout(Math.toIntExact(ANSWER_TIMEOUT.toMillis()));
      int end = socket.getInputStream().read();
      log.debug("{} has its answer and ends with {}", socket, end);
    } catch (IOException gone) {
      // It resets the connection when it closes, or has given up before.
      log.debug("{} is closed: {}", socket, gone.toString());
    }
  }

  private Status status(UUID asker) {
    if (isMember()) {
      return Status.member(locNode.id(), ring(), getNode(asker) != null);
    }
    Founding current = founding;
    return Status.outside(locNode.id(), current == null ? Stage.LOOKING : current.stage());
  }

  private boolean isMember() {
    return getSpiState().equals("CONNECTED");
  }

  private Ring ring() {
    List<ClusterNode> servers = servers().toList();
    ClusterNode coordinator =
        servers.stream().min(Comparator.comparingLong(ClusterNode::order)).orElseThrow();
    return new Ring(servers.size(), gridStartTime, coordinator.order(), coordinator.id());
  }

  private Stream<ClusterNode> servers() {
    return Stream.concat(Stream.of(locNode), getRemoteNodes().stream())
        .filter(node -> !node.isClient());
  }

  @Override
  protected void onContextInitialized0(IgniteSpiContext context) {
    super.onContextInitialized0(context);
    watch.start();
  }

  private void watch() {
    boolean mustGo = false;
    while (!mustGo && !stopped) {
      try {
        TimeUnit.NANOSECONDS.sleep(LOOK_PERIOD.toNanos());
        mustGo = isMember() && mustGo();
      } catch (InterruptedException stop) {
        return;
      } catch (RuntimeException failure) {
        if (!stopped) {
          log.warn("This node cannot look for other grids; it tries again", failure);
        }
      }
    }
  }

  /** Looks for other rings, and tells the owner if this node has to stop because of one. */
  private boolean mustGo() {
    Ring mine = ring();
    Optional<OtherRings.Found> found = otherRings.look(mine, strangers());
    if (found.isEmpty()) {
      return false;
    }
    OtherRings.Found other = found.get();
    if (!other.stays()) {
      log.warn(
          "There is another grid: {} at {}, beside this one, {}. Its nodes have to start again.",
          other.ring(),
          Founding.text(other.address()),
          mine);
      return false;
    }
    onMustGo.accept(
        "this node is in %s, and %s is at %s; start it again, and it joins that one"
            .formatted(mine, other.ring(), Founding.text(other.address())));
    return true;
  }

  private Map<InetSocketAddress, Ring> strangers() {
    Set<InetSocketAddress> ours = new HashSet<>(locNodeAddrs);
    servers()
        .filter(TcpDiscoveryNode.class::isInstance)
        .forEach(node -> ours.addAll(((TcpDiscoveryNode) node).socketAddresses()));
    askers.removeAll(ours);
    Map<InetSocketAddress, Ring> strangers = new HashMap<>();
    ask(withAskers(new HashSet<>(ipFinder.getRegisteredAddresses())), ours)
        .forEach(
            (address, sighting) -> {
              Status status = sighting.status();
              if (status != null && status.ring() != null) {
                if (getNode(status.node()) != null) {
                  askers.remove(address);
                } else if (!status.knowsAsker()) {
                  strangers.put(address, status.ring());
                }
              }
            });
    return strangers;
  }

  @Override
  public void spiStop() {
    stopped = true;
    watch.interrupt();
    questions.shutdownNow();
    super.spiStop();
  }
}
