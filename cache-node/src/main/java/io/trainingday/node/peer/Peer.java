package io.trainingday.node.peer;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.Future;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.PeerFill;
import io.trainingday.lane.PeerMessage.PeerFillReply;
import io.trainingday.lane.PeerMessage.PeerPong;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.SocketBuffers;
import io.trainingday.node.ownership.Member;
import java.io.IOException;
import java.net.ConnectException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One other node, as seen over the one connection this node has to it.
 *
 * <p>The connection is made when something is asked first, and again after it broke: not at once,
 * but after a rest that doubles each time it fails, but for being refused. While it rests, and when
 * the node is silent, requests fail at once, so a dead node costs a trainer at most one missed
 * answer. All methods may be called from any thread; what they begin goes on on the connection's
 * own thread, where all fields that change live.
 */
public final class Peer {
  private static final Logger LOG = LoggerFactory.getLogger(Peer.class);
  private static final int MAX_PENDING = 4_096;

  /**
   * Requests wait for a connection, fills for room in the socket: the rest stays with the sender.
   */
  private static final WriteBufferWaterMark UNSENT = new WriteBufferWaterMark(256 << 10, 1 << 20);

  /** Large enough that system calls do not count, small enough to stay in a core's cache. */
  private static final int MAX_RECEIVE_BYTES = 512 << 10;

  private static final long FIRST_REST_MILLIS = 50;

  /**
   * A node that joins opens its lane last; until then a try costs nothing, being refused at once.
   */
  private static final long REFUSED_REST_MILLIS = 10;

  private static final long LONGEST_REST_MILLIS = 1_000;

  private enum State {
    IDLE,
    CONNECTING,
    UP,
    RESTING,
    CLOSED
  }

  private final Member member;
  private final int number;
  private final Peers.Shared shared;
  private final EventLoop loop;
  private final AtomicLong lastRequest = new AtomicLong();

  private State state = State.IDLE;
  private int version = LaneMessage.OLDEST_VERSION;
  private @Nullable Channel channel;
  private @Nullable Future<?> greetingTimeout;
  private @Nullable Future<?> watch;
  private long restMillis = FIRST_REST_MILLIS;
  private long restUntilNanos;
  private long heardNanos;
  private @Nullable String lastTrouble;

  /** Sent and not answered, the oldest first. */
  private final Map<Long, Pending> pending = new LinkedHashMap<>();

  /** Not sent, because there is no connection yet. */
  private final Map<Long, Pending> waiting = new LinkedHashMap<>();

  /** Not sent, because the socket takes no more now. */
  private final Deque<Pending.Call> fills = new ArrayDeque<>();

  Peer(Member member, int number, Peers.Shared shared, EventLoop loop) {
    this.member = member;
    this.number = number;
    this.shared = shared;
    this.loop = loop;
  }

  /** The node. */
  public Member member() {
    return member;
  }

  /** Of this node among the peers of this run, from 1 to 65,535. */
  public int number() {
    return number;
  }

  /** Asks for records; the landing is told how it ends, unless it is cancelled before. */
  public PeerCall read(PeerRead request, Landing landing) {
    PeerCall call = new PeerCall(this, lastRequest.incrementAndGet(), request, landing);
    submit(call);
    return call;
  }

  /**
   * Passes a record to its owner. Sent when the socket has room, one after the other; fails with
   * {@link PeerException} when the connection breaks before it is answered.
   *
   * @param fill its record must not change until the future is done
   */
  public CompletableFuture<PeerFillReply> fill(PeerFill fill) {
    Pending.Call call = new Pending.Call(lastRequest.incrementAndGet(), fill);
    onLoop(
        call,
        () -> {
          if (state == State.UP || accept(call)) {
            fills.add(call);
            sendFills();
          }
        });
    return call.reply().thenApply(reply -> expect(PeerFillReply.class, reply));
  }

  /** Sends a message that has no answer; it is lost when there is no connection. */
  public void tell(PeerMessage message) {
    onLoop(null, () -> tellNow(message));
  }

  CompletableFuture<Pong> ping(Ping ping) {
    Pending.Call call =
        new Pending.Call(
            lastRequest.incrementAndGet(), new PeerMessage.PeerPing(ping.from(), ping.freeBytes()));
    submit(call);
    return call.reply()
        .orTimeout(shared.answerTimeoutMillis(), TimeUnit.MILLISECONDS)
        .thenApply(
            reply -> {
              PeerPong pong = expect(PeerPong.class, reply);
              return new Pong(pong.refused(), pong.freeBytes());
            });
  }

  CompletableFuture<String> ask(String question) {
    Pending.Call call =
        new Pending.Call(lastRequest.incrementAndGet(), new PeerMessage.PeerAsk(question));
    submit(call);
    return call.reply()
        .orTimeout(shared.answerTimeoutMillis(), TimeUnit.MILLISECONDS)
        .thenApply(reply -> expect(PeerMessage.PeerAnswer.class, reply).json());
  }

  void cancel(PeerCall call) {
    onLoop(
        null,
        () -> {
          waiting.remove(call.id());
          if (pending.containsKey(call.id())) {
            tellNow(new PeerMessage.PeerCancel(call.id()));
          }
        });
  }

  /** Gives back a lease that came when nobody waited for it any more. */
  void releaseLate(PeerMessage.PeerRelease release) {
    shared.countLateLease();
    tellNow(release);
  }

  /** Ends everything: the node has left the grid, or this one closes. */
  void close() {
    onLoop(
        null,
        () -> {
          state = State.CLOSED;
          disconnect();
          failAll(trouble("has left the grid", null));
        });
  }

  // From here on, on the loop.

  private void submit(Pending request) {
    onLoop(
        request,
        () -> {
          if (state == State.UP) {
            send(request);
          } else if (accept(request)) {
            waiting.put(request.id(), request);
          }
        });
  }

  /** Whether a request may wait for the connection that is being made; fails it if not. */
  private boolean accept(Pending request) {
    if (state == State.RESTING && System.nanoTime() - restUntilNanos >= 0) {
      state = State.IDLE;
    }
    if (state == State.IDLE) {
      connect();
    }
    if (state != State.CONNECTING) {
      request.fail(
          trouble(state == State.CLOSED ? "has left the grid" : "cannot be reached now", null));
      return false;
    }
    if (waiting.size() + fills.size() >= MAX_PENDING && !request.isPing()) {
      request.fail(trouble("has more than %d requests waiting".formatted(MAX_PENDING), null));
      return false;
    }
    return true;
  }

  private void send(Pending request) {
    if (request.sinceVersion() > version) {
      request.fail(trouble("is of a release that does not know such a request", null));
      return;
    }
    // What a trainer asks for in too many pieces must not end this node's serving lease.
    if (pending.size() >= MAX_PENDING && !request.isPing()) {
      request.fail(trouble("has not answered %d requests".formatted(MAX_PENDING), null));
      return;
    }
    request.sentAt(System.nanoTime());
    pending.put(request.id(), request);
    write(request.frame());
  }

  private void sendFills() {
    while (state == State.UP && !fills.isEmpty() && current().isWritable()) {
      send(fills.remove());
    }
  }

  private void tellNow(PeerMessage message) {
    if (state == State.UP) {
      write(Unpooled.wrappedBuffer(message.frame(lastRequest.incrementAndGet())));
    }
  }

  private void write(ByteBuf frame) {
    Channel to = current();
    var unused = to.writeAndFlush(frame, to.voidPromise());
  }

  private Channel current() {
    Channel open = channel;
    if (open == null) {
      throw new IllegalStateException("no connection to " + member.name());
    }
    return open;
  }

  private void connect() {
    String address = member.laneAddress().orElse("");
    int colon = address.lastIndexOf(':');
    if (colon < 1) {
      rest(trouble("has no lane over TCP, enable lane.tcp on every node of the grid", null));
      return;
    }
    state = State.CONNECTING;
    String host = address.substring(0, colon).replaceAll("^\\[|]$", "");
    int port = Integer.parseInt(address.substring(colon + 1));
    Bootstrap bootstrap = new Bootstrap();
    SocketBuffers.bytes()
        .ifPresent(
            bytes ->
                bootstrap
                    .option(ChannelOption.SO_RCVBUF, bytes)
                    .option(ChannelOption.SO_SNDBUF, bytes));
    ChannelFuture connecting =
        bootstrap
            .group(loop)
            .channel(EpollSocketChannel.class)
            .option(ChannelOption.TCP_NODELAY, true)
            .option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
            .option(
                ChannelOption.RECVBUF_ALLOCATOR,
                new AdaptiveRecvByteBufAllocator(4 << 10, 64 << 10, MAX_RECEIVE_BYTES))
            .option(ChannelOption.WRITE_BUFFER_WATER_MARK, UNSENT)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, shared.answerTimeoutMillis())
            .handler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel made) {
                    LaneTls tls = shared.access().tls();
                    if (tls != null) {
                      made.pipeline().addLast(new SslHandler(tls.client(host, port)));
                    }
                    Link link = new Link(made);
                    made.pipeline().addLast(new ReplyDecoder(link, shared.maxRecordBytes()), link);
                  }
                })
            .connect(host, port);
    channel = connecting.channel();
    greetingTimeout =
        loop.schedule(
            () -> broken(connecting.channel(), trouble("does not greet", null)),
            shared.answerTimeoutMillis(),
            TimeUnit.MILLISECONDS);
    connecting.addListener(
        done -> {
          if (!done.isSuccess()) {
            if (isRefusal(done.cause())) {
              restMillis = REFUSED_REST_MILLIS;
            }
            broken(connecting.channel(), trouble("cannot be connected to", done.cause()));
          }
        });
  }

  private static boolean isRefusal(Throwable cause) {
    return cause instanceof ConnectException && !(cause instanceof ConnectTimeoutException);
  }

  private void up() {
    state = State.UP;
    restMillis = FIRST_REST_MILLIS;
    lastTrouble = null;
    stopTimers();
    long period = Math.max(1, shared.answerTimeoutMillis() / 4);
    watch = loop.scheduleWithFixedDelay(this::watch, period, period, TimeUnit.MILLISECONDS);
    LOG.debug("Connected to {}", member);
    List<Pending> ready = new ArrayList<>(waiting.values());
    waiting.clear();
    ready.forEach(this::send);
    sendFills();
  }

  /** A node that owes answers and says nothing at all is taken for gone. */
  private void watch() {
    if (pending.isEmpty()) {
      return;
    }
    long limit = TimeUnit.MILLISECONDS.toNanos(shared.answerTimeoutMillis());
    long now = System.nanoTime();
    Pending oldest = pending.values().iterator().next();
    if (now - oldest.sentNanos() > limit && now - heardNanos > limit) {
      broken(
          current(), trouble("is silent for %d ms".formatted(shared.answerTimeoutMillis()), null));
    }
  }

  private void broken(Channel which, PeerException why) {
    if (which == channel && state != State.CLOSED) {
      disconnect();
      rest(why);
    }
  }

  private void rest(PeerException why) {
    state = State.RESTING;
    restUntilNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(restMillis);
    restMillis = Math.min(LONGEST_REST_MILLIS, 2 * restMillis);
    String message = String.valueOf(why.getMessage());
    if (message.equals(lastTrouble)) {
      LOG.debug("{}", message);
    } else {
      shared.countBroken();
      LOG.warn("{}; its samples are misses until it answers", message);
    }
    lastTrouble = message;
    failAll(why);
  }

  private void disconnect() {
    stopTimers();
    Channel open = channel;
    channel = null;
    if (open != null) {
      var unused = open.close();
    }
  }

  private void stopTimers() {
    if (greetingTimeout != null) {
      greetingTimeout.cancel(false);
      greetingTimeout = null;
    }
    if (watch != null) {
      watch.cancel(false);
      watch = null;
    }
  }

  private void failAll(PeerException why) {
    List<Pending> all = new ArrayList<>(pending.values());
    all.addAll(waiting.values());
    all.addAll(fills);
    pending.clear();
    waiting.clear();
    fills.clear();
    all.forEach(request -> request.fail(why));
  }

  private PeerException trouble(String what, @Nullable Throwable cause) {
    String message =
        "node %s at %s %s".formatted(member.name(), member.laneAddress().orElse("?"), what);
    return cause == null
        ? new PeerException(message)
        : new PeerException(message + ": " + cause.getMessage(), cause);
  }

  private void onLoop(@Nullable Pending request, Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("The threads of the peer lane are gone", e);
      if (request != null) {
        request.fail(trouble("is not asked any more: this node stops", null));
      }
    }
  }

  private <T extends LaneMessage> T expect(Class<T> type, LaneMessage reply) {
    if (!type.isInstance(reply)) {
      throw trouble("answered with message type " + reply.type(), null);
    }
    return type.cast(reply);
  }

  /** One connection's end of its pipeline: greets, then hands replies to what waits for them. */
  private final class Link extends ChannelInboundHandlerAdapter implements ReplyDecoder.Receiver {
    private static final long HELLO = 0;
    private static final long INTRODUCE = -1;

    private final Channel own;

    Link(Channel own) {
      this.own = own;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      greet(
          HELLO,
          new LaneMessage.Hello(
              LaneMessage.OLDEST_VERSION,
              LaneMessage.VERSION,
              LaneMessage.Role.PEER,
              shared.access().token(),
              "node " + shared.localId()));
    }

    private void greet(long id, LaneMessage message) {
      var unused = own.writeAndFlush(Unpooled.wrappedBuffer(message.frame(id)), own.voidPromise());
    }

    @Override
    public void heard() {
      heardNanos = System.nanoTime();
    }

    @Override
    public void received(long requestId, LaneMessage message) {
      if (message instanceof LaneMessage.Failure failure) {
        failed(requestId, failure);
      } else if (requestId == HELLO && message instanceof LaneMessage.HelloReply hello) {
        version = hello.version();
        greet(INTRODUCE, new PeerMessage.Introduce(shared.localId(), member.id()));
      } else if (requestId == INTRODUCE && state == State.CONNECTING) {
        up();
      } else if (pending.remove(requestId) instanceof Pending.Call call) {
        call.reply().complete(message);
      } else {
        broken(own, trouble("answered what it was not asked", null));
      }
    }

    private void failed(long requestId, LaneMessage.Failure failure) {
      PeerException why = trouble("refused", failure.toException());
      Pending request = pending.remove(requestId);
      if (request == null) {
        broken(own, why); // Of the greeting, or of the connection as a whole.
      } else {
        LOG.debug("A request was refused", why);
        request.fail(why);
      }
    }

    @Override
    public @Nullable PeerCall call(long requestId) {
      return pending.get(requestId) instanceof PeerCall call ? call : null;
    }

    @Override
    public void ended(PeerCall call) {
      pending.remove(call.id());
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      sendFills();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      broken(own, trouble("has closed the connection", null));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (!(cause instanceof IOException)) {
        LOG.debug("The connection to {} failed", member.name(), cause);
      }
      broken(own, trouble("cannot be understood or is gone", cause));
      var unused = context.close();
    }
  }
}
