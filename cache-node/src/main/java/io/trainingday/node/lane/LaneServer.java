package io.trainingday.node.lane;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.SocketBuffers;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.latency.Latency;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.FillForwarder;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.peer.PingListener;
import io.trainingday.node.store.RecordStore;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import javax.net.ssl.SSLEngine;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the lane on Unix sockets, one for each tenant, and, if the settings say so, over TCP;
 * {@code cache-client/contract/lane.md} says what goes over it.
 *
 * <p>Must be closed before the record store is drained and Ignite stopped.
 */
public final class LaneServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneServer.class);
  private static final int BLOCKING_THREADS = 4;
  private static final int BLOCKING_QUEUE = 10_000;
  private static final int ADMIN_THREADS = 2;
  private static final int AGREE_THREADS = 2;
  private static final int LEARN_THREADS = 2;
  private static final int AT_HAND_THREADS = 2;
  private static final int ADMIN_QUEUE = 64;
  private static final int ABANDONED_CHECK_MILLIS = 250;
  private static final int KEEPALIVE_IDLE_SECONDS = 30;
  private static final int KEEPALIVE_INTERVAL_SECONDS = 10;
  private static final int KEEPALIVE_COUNT = 3;

  /** Above this much unsent to one client, no more of its requests are read. */
  private static final int UNSENT_HIGH_BYTES = 8 << 20;

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final LaneLimits limits;
  private volatile Map<String, Settings.Dataset> datasets;
  private final LaneServices services;
  private final LaneEndpoint endpoint;
  private final EventLoopGroup threads;
  private final ThreadPoolExecutor blocking;
  private final ThreadPoolExecutor administering;
  private final ThreadPoolExecutor answering;
  private final ThreadPoolExecutor agreeing;
  private final ThreadPoolExecutor learning;
  private final ThreadPoolExecutor atHand;
  private final Copiers copiers = new Copiers(Runtime.getRuntime().availableProcessors());
  private final List<Channel> listening = new CopyOnWriteArrayList<>();
  private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final Map<String, ReadCounters> reads = new ConcurrentHashMap<>();
  private final ConnectionShares<Connection> shares;
  private final Object goingLock = new Object();
  private volatile boolean going;
  private final LongAdder slotBatches = new LongAdder();
  private final LongAdder inlineBatches = new LongAdder();
  private final LongAdder batchNanos = new LongAdder();
  private final Refusals refusals = new Refusals(RefusalReason.LANE, System::nanoTime, LOG::warn);
  private final LongAdder peerSamples = new LongAdder();
  private final LongAdder peerDamaged = new LongAdder();
  private final LongAdder peerStale = new LongAdder();
  private final LaneLatencies latencies = new LaneLatencies();

  /** Prepares the lane at a claimed endpoint, which it closes with itself. */
  public LaneServer(LaneEndpoint endpoint, Settings settings, LaneServices services) {
    this.datasets = settings.datasets();
    this.limits = LaneLimits.of(settings);
    this.services = services;
    this.endpoint = endpoint;
    shares = new ConnectionShares<>(limits.maxConnections());
    shareConnections();
    blocking = executor("lane-blocking", BLOCKING_THREADS, BLOCKING_QUEUE);
    administering = executor("lane-admin", ADMIN_THREADS, ADMIN_QUEUE);
    answering = executor("lane-answer", ADMIN_THREADS, ADMIN_QUEUE);
    agreeing = executor("lane-agree", AGREE_THREADS, BLOCKING_QUEUE);
    learning = executor("lane-learn", LEARN_THREADS, BLOCKING_QUEUE);
    atHand = executor("lane-at-hand", AT_HAND_THREADS, BLOCKING_QUEUE);
    // Copying a batch keeps one core busy at memory speed; more threads than that gain nothing.
    int loops = Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors() / 2));
    threads =
        new MultiThreadIoEventLoopGroup(
            loops, new DefaultThreadFactory("lane", true), EpollIoHandler.newFactory());
    var unused =
        threads.scheduleWithFixedDelay(
            () -> endpoint.sockets().forEach(socket -> socket.segments().freeAbandoned()),
            ABANDONED_CHECK_MILLIS,
            ABANDONED_CHECK_MILLIS,
            TimeUnit.MILLISECONDS);
  }

  private static ThreadPoolExecutor executor(String name, int count, int queue) {
    ThreadPoolExecutor executor =
        new ThreadPoolExecutor(
            count,
            count,
            1,
            TimeUnit.MINUTES,
            new LinkedBlockingQueue<>(queue),
            new DefaultThreadFactory(name, true));
    executor.allowCoreThreadTimeOut(true);
    return executor;
  }

  /**
   * Lets trainers and other nodes in: what answers them must be there by now. Call it once.
   *
   * @throws LaneStartException when a socket or the port cannot be listened on
   */
  public void listen() {
    endpoint.sockets().forEach(this::listen);
    TcpPort port = endpoint.port();
    if (port == null) {
      return;
    }
    try {
      ServerBootstrap bootstrap = bootstrap(EpollServerSocketChannel.class, this::acceptTcp);
      SocketBuffers.bytes()
          .ifPresent(
              bytes ->
                  bootstrap
                      .option(ChannelOption.SO_RCVBUF, bytes)
                      .childOption(ChannelOption.SO_SNDBUF, bytes));
      listening.add(
          bootstrap
              .childOption(ChannelOption.TCP_NODELAY, true)
              .childOption(ChannelOption.SO_KEEPALIVE, true)
              // A host that is gone says nothing: its connections are found out within a minute.
              .childOption(EpollChannelOption.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
              .childOption(EpollChannelOption.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS)
              .childOption(EpollChannelOption.TCP_KEEPCNT, KEEPALIVE_COUNT)
              .bind(port.address())
              .syncUninterruptibly()
              .channel());
    } catch (RuntimeException e) {
      throw TcpPort.refusal(port.host(), port.port(), e);
    }
  }

  private void listen(LocalSocket socket) {
    try {
      listening.add(
          bootstrap(
                  EpollServerDomainSocketChannel.class,
                  channel -> accept(channel, socket, token -> socket.grant(), null))
              .bind(new DomainSocketAddress(socket.path().toFile()))
              .syncUninterruptibly()
              .channel());
      socket.admit();
    } catch (RuntimeException | IOException e) {
      throw new LaneStartException(
          "socket %s (lane.socket) cannot be listened on: %s"
              .formatted(socket.path(), e.getMessage()),
          e);
    }
  }

  private ServerBootstrap bootstrap(
      Class<? extends ServerChannel> type, Consumer<Channel> acceptor) {
    return new ServerBootstrap()
        .group(threads)
        .channel(type)
        .childOption(
            ChannelOption.WRITE_BUFFER_WATER_MARK,
            new WriteBufferWaterMark(UNSENT_HIGH_BYTES / 2, UNSENT_HIGH_BYTES))
        .childHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel channel) {
                acceptor.accept(channel);
              }
            });
  }

  private void acceptTcp(Channel channel) {
    TcpAccess access = endpoint.access();
    accept(channel, null, access, access.engine());
  }

  private void accept(
      Channel channel, @Nullable LocalSocket socket, Grants grants, @Nullable SSLEngine tls) {
    Connection connection = new Connection(this, socket, grants, tls != null);
    String owner = owner(socket);
    if (!shares.enter(connection, owner) && (!makeWay(owner) || !shares.enter(connection, owner))) {
      turnAway(channel, tls == null, owner);
      return;
    }
    if (tls != null) {
      channel.pipeline().addLast(new TlsGate(tls, connection::speaksNoTls));
    }
    channel.pipeline().addLast(connection.decoder(), connection);
    // Not before it can be written to: whoever tells all connections something finds it here.
    connections.add(connection);
    channels.add(channel);
  }

  /** Whose a connection is as far as that is known before it greets. */
  private String owner(@Nullable LocalSocket socket) {
    if (socket != null) {
      return socket.grant().tenant();
    }
    return endpoint.access().hasTokens() ? ConnectionShares.GREETING : Grant.ALL.tenant();
  }

  private boolean makeWay(String owner) {
    Connection oldest = shares.makeWay(owner);
    if (oldest == null) {
      return false;
    }
    // One that another thread is still letting in cannot be told yet: it is refused as it greets.
    if (connections.contains(oldest)) {
      oldest.makeWay();
    }
    return true;
  }

  private void shareConnections() {
    shares.use(endpoint.tenants(), endpoint.access().hasTokens());
  }

  /**
   * A connection has told whose it is.
   *
   * @throws LaneException TOO_MANY when it is to be closed, since there is no room for one more of
   *     those
   */
  void greeted(Connection connection, Grant grant, LaneMessage.Role role) {
    if (!endpoint.access().hasTokens()) {
      return;
    }
    String owner = role == LaneMessage.Role.PEER ? ConnectionShares.NODES : grant.tenant();
    if (!shares.greeted(connection, owner)) {
      throw tooMany(owner);
    }
  }

  private LaneException tooMany(String owner) {
    return new LaneException(LaneException.Code.TOO_MANY, shares.refusal(owner));
  }

  private void turnAway(Channel channel, boolean plain, String owner) {
    LaneException refusal = tooMany(owner);
    countRefusal(RefusalReason.TOO_MANY, channel, refusal);
    if (plain) {
      channel
          .writeAndFlush(Unpooled.wrappedBuffer(LaneMessage.Failure.of(refusal).frame(0)))
          .addListener(ChannelFutureListener.CLOSE);
    } else {
      // A handshake, only to say that there is no room for it, would be the larger cost.
      var unused = channel.close();
    }
  }

  /** What data sets get that are opened for the first time from now on, by name. */
  public void useDatasets(Map<String, Settings.Dataset> changed) {
    datasets = Map.copyOf(changed);
  }

  /**
   * Reads the tokens again; who connects is judged by them from now on, and connections whose token
   * no longer grants what they greeted for end.
   *
   * @return whether the file says anything else than before
   * @throws LaneStartException when it cannot be used; what was read before holds on
   */
  public boolean reloadTokens() {
    if (!endpoint.access().reloadTokens()) {
      return false;
    }
    shareConnections();
    for (Channel channel : channels) {
      channel
          .eventLoop()
          .execute(
              () -> {
                Connection connection = channel.pipeline().get(Connection.class);
                if (connection != null) {
                  connection.judgeAgain();
                }
              });
    }
    return true;
  }

  /** The Unix socket that trainers of the tenant {@code default} attach to. */
  public Path socket() {
    return endpoint.socket();
  }

  /** What the lane has done and holds, now. */
  public LaneStats stats() {
    List<LaneStats.Reads> datasets =
        reads.entrySet().stream()
            .map(entry -> entry.getValue().snapshot())
            .sorted(Comparator.comparing(LaneStats.Reads::dataset))
            .toList();
    return new LaneStats(
        shares.count(),
        endpoint.slots().used(),
        slotBatches.sum(),
        inlineBatches.sum(),
        batchNanos.sum(),
        refusals.counts(),
        peerSamples.sum(),
        peerDamaged.sum(),
        peerStale.sum(),
        datasets,
        tenants());
  }

  private List<LaneStats.Tenant> tenants() {
    Map<String, Long> open = shares.ofTenants();
    Map<String, Long> slots = endpoint.slots().uses();
    Set<String> names = new TreeSet<>(endpoint.tenants());
    names.addAll(open.keySet());
    return names.stream()
        .map(
            name ->
                new LaneStats.Tenant(
                    name, open.getOrDefault(name, 0L), slots.getOrDefault(name, 0L)))
        .toList();
  }

  /** How long batches took, by the farthest source they had a sample from: {@code local}, …. */
  public Map<String, Latency.Snapshot> batchLatencies() {
    return latencies.batches();
  }

  /** How long other nodes took to answer reads that did not wait for loads. */
  public Latency.Snapshot peerReadLatency() {
    return latencies.peerReads();
  }

  /** How long publishes and invalidations took until they held on all nodes. */
  public Latency.Snapshot publishLatency() {
    return latencies.publishes();
  }

  /**
   * Answers what is under way, closes all connections and returns when no batch is being copied any
   * more. Safe to call again.
   */
  @Override
  public void close() {
    listening.forEach(channel -> channel.close().syncUninterruptibly());
    connections.forEach(Connection::stop);
    // A client that does not read its last reply must not hold up the node.
    channels.newCloseFuture().awaitUninterruptibly(CLOSE_TIMEOUT.toMillis());
    channels.close().awaitUninterruptibly(CLOSE_TIMEOUT.toMillis());
    blocking.shutdown();
    administering.shutdown();
    answering.shutdown();
    agreeing.shutdown();
    learning.shutdown();
    atHand.shutdown();
    var unused = threads.shutdownGracefully(0, CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    threads.terminationFuture().awaitUninterruptibly(2 * CLOSE_TIMEOUT.toMillis());
    copiers.close();
    endpoint.close();
  }

  /**
   * Sends trainers away: those that understand are told to go to other nodes, and no new ones are
   * let in. All requests are still answered. Returns when those told have gone or the time is over.
   *
   * @return how many of those told are still there
   */
  public int sendTrainersAway(Duration longest) {
    going = true;
    int millis = Math.toIntExact(longest.toMillis());
    connections.forEach(connection -> connection.sayGoing(millis));
    settleThreads();
    long deadline = System.nanoTime() + longest.toNanos();
    try {
      synchronized (goingLock) {
        while (staying() > 0 && deadline - System.nanoTime() > 0) {
          goingLock.wait(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return staying();
  }

  /** Returns when what was given to the lane's threads before has been done. */
  private void settleThreads() {
    for (EventExecutor thread : threads) {
      thread.submit(() -> {}).awaitUninterruptibly(CLOSE_TIMEOUT.toMillis());
    }
  }

  private int staying() {
    return (int) connections.stream().filter(Connection::isToldToLeave).count();
  }

  boolean isGoing() {
    return going;
  }

  LaneLimits limits() {
    return limits;
  }

  LaneServices services() {
    return services;
  }

  /** The store of the data set that a peer's keys belong to. */
  RecordStore store(PeerMessage.KeySpace keys) {
    return services.stores().of(keys.backups(), PeerKeys.tier(keys));
  }

  Fills fills() {
    return services.fills();
  }

  Ownership ownership() {
    return services.ownership();
  }

  Peers peers() {
    return services.peers();
  }

  PingListener pings() {
    return services.pings();
  }

  FillForwarder forwarder() {
    return services.forwarder();
  }

  /** Whether memory that was one trainer's must not be shown to another. */
  boolean hasTenants() {
    return endpoint.hasTenants();
  }

  Copiers copiers() {
    return copiers;
  }

  /** For what waits on the grid where others must not wait behind it. */
  Executor agreeing() {
    return agreeing;
  }

  /** For what first records look like, which waits on the grid. */
  Executor learning() {
    return learning;
  }

  /** For what blocks a little and waits for no other node. */
  Executor atHand() {
    return atHand;
  }

  Executor blocking() {
    return blocking;
  }

  boolean isStopping() {
    return blocking.isShutdown();
  }

  /** For what may wait for the grid a second or more. */
  Executor administering() {
    return administering;
  }

  /** For what other nodes ask: those that wait for an answer of theirs must not hold it up. */
  Executor answering() {
    return answering;
  }

  /** Opens a data set for one connection; blocks. */
  ServedDataset open(Grant grant, LaneMessage.Open request) {
    String tenant = grant.tenant();
    return ServedDataset.open(
        grant,
        request,
        datasets.get(request.name()),
        services,
        () -> reads.computeIfAbsent(tenant + "/" + request.name(), ReadCounters::new));
  }

  void countBatch(boolean inline) {
    (inline ? inlineBatches : slotBatches).increment();
  }

  /** A record that another node asked for was too old, or of another stamp. */
  void countStaleForPeer() {
    peerStale.increment();
  }

  /** A record that another node asked for was found damaged. */
  void countDamagedForPeer() {
    peerDamaged.increment();
  }

  /** Records were sent to another node. */
  void countServedToPeer(int samples) {
    peerSamples.add(samples);
  }

  LaneLatencies latencies() {
    return latencies;
  }

  void countNanos(long nanos) {
    batchNanos.add(nanos);
  }

  void countRefusal(RefusalReason reason, Channel channel, LaneException refusal) {
    refusals.count(reason, from(channel), String.valueOf(refusal.getMessage()));
  }

  /** Without the port: another connection of the same host is no other one in the log. */
  private String from(Channel channel) {
    return channel.remoteAddress() instanceof InetSocketAddress address
        ? "tcp://" + address.getHostString()
        : "unix:" + channel.parent().localAddress();
  }

  void forget(Connection connection) {
    if (connections.remove(connection)) {
      shares.leave(connection);
      if (going) {
        synchronized (goingLock) {
          goingLock.notifyAll();
        }
      }
    }
  }
}
