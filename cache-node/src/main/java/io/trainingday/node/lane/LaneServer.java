package io.trainingday.node.lane;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.FillForwarder;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.peer.PingListener;
import io.trainingday.node.store.RecordStores;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the lane on a Unix socket; {@code cache-client/contract/lane.md} says what goes over it.
 *
 * <p>Must be closed before the record store is drained and Ignite stopped.
 */
public final class LaneServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneServer.class);
  private static final int BLOCKING_THREADS = 4;
  private static final int BLOCKING_QUEUE = 10_000;

  /** Above this much unsent to one client, no more of its requests are read. */
  private static final int UNSENT_HIGH_BYTES = 8 << 20;

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final LaneLimits limits;
  private final Settings settings;
  private final LaneServices services;
  private final LaneEndpoint endpoint;
  private final EventLoopGroup threads;
  private final ThreadPoolExecutor blocking;
  private final Copiers copiers = new Copiers(Runtime.getRuntime().availableProcessors());
  private final Channel listening;
  private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final Map<String, ReadCounters> reads = new ConcurrentHashMap<>();
  private final AtomicInteger openConnections = new AtomicInteger();
  private final LongAdder slotBatches = new LongAdder();
  private final LongAdder inlineBatches = new LongAdder();
  private final LongAdder batchNanos = new LongAdder();
  private final LongAdder refusals = new LongAdder();
  private final LongAdder peerSamples = new LongAdder();
  private final LongAdder peerDamaged = new LongAdder();

  /**
   * Opens the lane at a claimed endpoint, which it closes with itself.
   *
   * @throws LaneStartException when the socket cannot be listened on
   */
  public static LaneServer open(LaneEndpoint endpoint, Settings settings, LaneServices services) {
    return new LaneServer(endpoint, settings, services);
  }

  private LaneServer(LaneEndpoint endpoint, Settings settings, LaneServices services) {
    this.settings = settings;
    this.limits = LaneLimits.of(settings);
    this.services = services;
    this.endpoint = endpoint;
    blocking =
        new ThreadPoolExecutor(
            BLOCKING_THREADS,
            BLOCKING_THREADS,
            1,
            TimeUnit.MINUTES,
            new LinkedBlockingQueue<>(BLOCKING_QUEUE),
            new DefaultThreadFactory("lane-blocking", true));
    blocking.allowCoreThreadTimeOut(true);
    // Copying a batch keeps one core busy at memory speed; more threads than that gain nothing.
    int loops = Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors() / 2));
    threads =
        new MultiThreadIoEventLoopGroup(
            loops, new DefaultThreadFactory("lane", true), EpollIoHandler.newFactory());
    try {
      listening =
          new ServerBootstrap()
              .group(threads)
              .channel(EpollServerDomainSocketChannel.class)
              .childOption(
                  ChannelOption.WRITE_BUFFER_WATER_MARK,
                  new WriteBufferWaterMark(UNSENT_HIGH_BYTES / 2, UNSENT_HIGH_BYTES))
              .childHandler(
                  new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                      accept(channel);
                    }
                  })
              .bind(new DomainSocketAddress(endpoint.socket().toFile()))
              .syncUninterruptibly()
              .channel();
    } catch (RuntimeException e) {
      var unused = threads.shutdownGracefully(0, 1, TimeUnit.SECONDS);
      throw new LaneStartException(
          "lane.socket=%s cannot be listened on: %s".formatted(endpoint.socket(), e.getMessage()),
          e);
    }
  }

  private void accept(Channel channel) {
    if (openConnections.incrementAndGet() > limits.maxConnections()) {
      openConnections.decrementAndGet();
      refusals.increment();
      LaneException refusal =
          new LaneException(
              LaneException.Code.TOO_MANY,
              "connections=%d > lane.maxConnections=%d, share connections or raise it"
                  .formatted(limits.maxConnections() + 1, limits.maxConnections()));
      channel
          .writeAndFlush(Unpooled.wrappedBuffer(LaneMessage.Failure.of(refusal).frame(0)))
          .addListener(ChannelFutureListener.CLOSE);
      return;
    }
    FrameDecoder decoder = new FrameDecoder();
    Connection connection = new Connection(this, decoder, true);
    connections.add(connection);
    channels.add(channel);
    channel.pipeline().addLast(decoder, connection);
  }

  /** The Unix socket trainers attach to. */
  public Path socket() {
    return endpoint.socket();
  }

  /** What the lane has done and holds, now. */
  public LaneStats stats() {
    List<LaneStats.Reads> datasets =
        reads.entrySet().stream()
            .map(entry -> entry.getValue().snapshot(entry.getKey()))
            .sorted(Comparator.comparing(LaneStats.Reads::dataset))
            .toList();
    return new LaneStats(
        openConnections.get(),
        endpoint.segments().bytes(),
        slotBatches.sum(),
        inlineBatches.sum(),
        batchNanos.sum(),
        refusals.sum(),
        peerSamples.sum(),
        peerDamaged.sum(),
        datasets);
  }

  /**
   * Answers what is under way, closes all connections and returns when no batch is being copied any
   * more. Safe to call again.
   */
  @Override
  public void close() {
    listening.close().syncUninterruptibly();
    connections.forEach(Connection::stop);
    // A client that does not read its last reply must not hold up the node.
    channels.newCloseFuture().awaitUninterruptibly(CLOSE_TIMEOUT.toMillis());
    channels.close().awaitUninterruptibly(CLOSE_TIMEOUT.toMillis());
    blocking.shutdown();
    var unused = threads.shutdownGracefully(0, CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    threads.terminationFuture().awaitUninterruptibly(2 * CLOSE_TIMEOUT.toMillis());
    copiers.close();
    endpoint.close();
  }

  LaneLimits limits() {
    return limits;
  }

  LaneServices services() {
    return services;
  }

  RecordStores stores() {
    return services.stores();
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

  Segments segments() {
    return endpoint.segments();
  }

  Copiers copiers() {
    return copiers;
  }

  Executor blocking() {
    return blocking;
  }

  /** Opens a data set for one connection; blocks. */
  ServedDataset open(String tenant, LaneMessage.Open request) {
    return ServedDataset.open(
        tenant,
        request,
        settings,
        services,
        reads.computeIfAbsent(request.name(), unused -> new ReadCounters()));
  }

  void countBatch(boolean inline) {
    (inline ? inlineBatches : slotBatches).increment();
  }

  /** A record that another node asked for was found damaged. */
  void countDamagedForPeer() {
    peerDamaged.increment();
  }

  /** Records were sent to another node. */
  void countServedToPeer(int samples) {
    peerSamples.add(samples);
  }

  void countNanos(long nanos) {
    batchNanos.add(nanos);
  }

  void countRefusal(LaneException.Code code) {
    refusals.increment();
    LOG.debug("Refused a lane request: {}", code);
  }

  void forget(Connection connection) {
    if (connections.remove(connection)) {
      openConnections.decrementAndGet();
    }
  }
}
