package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.concurrent.Future;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.AgreeMessage;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.ReportMessage;
import io.trainingday.node.lane.FrameDecoder.Received;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.versions.Agreements;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.GridUnavailableException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection, of a trainer or an administrator. Everything happens on its event loop, batches
 * are copied there too; what may block goes to the server's executor and comes back. So segments
 * need no locks, and when the channel is inactive nothing writes to them any more.
 */
final class Connection extends ChannelInboundHandlerAdapter {
  /** Half of what a client waits beyond the time to answer in. */
  private static final int OPEN_GRACE_MILLIS = 500;

  private static final Logger LOG = LoggerFactory.getLogger(Connection.class);
  private static final int MAX_DATASETS = 1_024;
  private static final int MAX_SEGMENTS = 64;
  private static final int GOING_SINCE = LaneMessage.sinceVersion(LaneMessage.Going.TYPE);

  private final LaneServer server;
  private final FrameDecoder decoder = new FrameDecoder(this::speaksTls);
  private final @Nullable LocalSocket socket;
  private final Grants grants;
  private final Map<Integer, ServedDataset> datasets = new HashMap<>();

  /** A trainer that opens the same again, and again, gets the same handle. */
  private final Map<LaneMessage.Open, Integer> handles = new HashMap<>();

  private final Map<Integer, Segment> segments = new HashMap<>();
  private final TrainerSession trainer;
  private @Nullable PeerSession peer;
  private @Nullable ChannelHandlerContext context;
  private @Nullable Grant grant;
  private String token = "";
  private @Nullable Role role;
  private @Nullable Future<?> silence;
  private int version = LaneMessage.OLDEST_VERSION;

  /** Whether what is written reaches the other side as it stands in the protocol. */
  private boolean heard;

  private volatile boolean toldToLeave;
  private boolean closing;
  private int requestsInFlight;
  private int segmentsUnderWay;
  private int lastHandle;

  /**
   * @param socket it came by, null over TCP
   */
  Connection(LaneServer server, @Nullable LocalSocket socket, Grants grants, boolean tls) {
    this.server = server;
    this.socket = socket;
    this.grants = grants;
    this.heard = !tls;
    this.trainer = new TrainerSession(server, this);
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
    int millis = server.limits().greetingTimeoutMillis();
    silence =
        added
            .executor()
            .schedule(
                () ->
                    refuse(
                        0,
                        RefusalReason.SILENCE,
                        new LaneException(
                            Code.MALFORMED, "no HELLO within %d ms".formatted(millis))),
                millis,
                TimeUnit.MILLISECONDS);
  }

  FrameDecoder decoder() {
    return decoder;
  }

  @Override
  public void channelInactive(ChannelHandlerContext inactive) {
    closing = true;
    stopWaitingForHello();
    server.forget(this);
    trainer.close();
    if (peer != null) {
      peer.close();
    }
    segments.values().forEach(Segment::abandon);
    segments.clear();
    datasets.clear();
    handles.clear();
    inactive.fireChannelInactive();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext triggered, Object event) {
    if (event instanceof SslHandshakeCompletionEvent handshake) {
      if (handshake.isSuccess()) {
        heard = true;
      } else {
        tlsFailed(handshake.cause());
      }
    }
    triggered.fireUserEventTriggered(event);
  }

  /** The first bytes on an encrypted lane are plain: said in plain words. */
  void speaksNoTls() {
    heard = true;
    refuse(
        0,
        RefusalReason.TLS,
        new LaneException(
            Code.DENIED,
            "this node's lane speaks TLS (lane.tls.enabled=true); trust its certificate's signer,"
                + " as by TRAINING_DAY_TLS_TRUST"));
  }

  private void speaksTls() {
    refuse(
        0,
        RefusalReason.TLS,
        new LaneException(
            Code.DENIED,
            "a TLS handshake, but lane.tls.enabled=false; set it, or connect without TLS"));
  }

  private void tlsFailed(Throwable cause) {
    RefusalReason reason = RefusalReason.ofTls(cause);
    refuse(
        0,
        reason,
        new LaneException(
            Code.DENIED, reason.words() + ": TLS: " + String.valueOf(cause.getMessage())));
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext changed) {
    if (peer != null) {
      peer.takeTurns();
    } else {
      // A client that does not take its replies gets no further ones made.
      changed.channel().config().setAutoRead(changed.channel().isWritable());
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext failed, Throwable cause) {
    Throwable reason = cause instanceof DecoderException ? cause.getCause() : cause;
    if (reason instanceof LaneException malformed) {
      refuse(0, malformed);
    } else if (reason instanceof SSLException) {
      tlsFailed(reason);
    } else if (reason instanceof IOException) {
      LOG.debug("A lane connection broke", reason);
      var unused = failed.close();
    } else {
      LOG.warn("A lane connection failed and is closed", reason);
      var unused = failed.close();
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext read, Object message) {
    Received received = (Received) message;
    ByteBuf body = received.body();
    int type = received.frame().type();
    long requestId = received.frame().requestId();
    try {
      if (closing) {
        return;
      }
      checkVersion(type);
      if (grant != null && AdminMessage.isRequest(type)) {
        administer(requestId, type, body);
      } else {
        receive(requestId, LaneMessage.decode(type, body.nioBuffer()));
      }
    } catch (RuntimeException e) {
      refuse(requestId, e);
    } finally {
      body.release();
    }
  }

  /** What came with a later version than was agreed on is no message. */
  private void checkVersion(int type) {
    if (grant != null && LaneMessage.sinceVersion(type) > version) {
      throw new LaneException(
          Code.MALFORMED,
          "message type %d: no such message in protocol version %d".formatted(type, version));
    }
  }

  private void receive(long requestId, LaneMessage message) {
    if (message instanceof LaneMessage.Hello hello) {
      greet(requestId, hello);
      return;
    }
    if (grant == null) {
      throw new LaneException(
          Code.MALFORMED, "message type %d before HELLO".formatted(message.type()));
    }
    if (role == Role.PEER) {
      receiveFromPeer(requestId, message);
      return;
    }
    checkRequestsInFlight();
    if (message instanceof LaneMessage.StatusRequest) {
      Optional<String> onlyOf =
          Administration.isOfNode(granted()) ? Optional.empty() : Optional.of(tenant());
      offload(
          server.atHand(),
          requestId,
          () -> new LaneMessage.StatusReply(server.services().statusJson().apply(onlyOf)),
          reply -> reply,
          unused -> {},
          () -> {});
    } else if (message instanceof OwnersMessage.Request owners) {
      send(requestId, owners(owners));
    } else {
      requireRole(Role.TRAINER, message.type());
      serve(requestId, message);
    }
  }

  private void checkRequestsInFlight() {
    int inFlight = requestsInFlight + trainer.requestsInFlight();
    if (inFlight >= server.limits().maxRequestsInFlight()) {
      throw new LaneException(
          Code.TOO_MANY,
          "requests in flight=%d, allowed: lane.maxRequestsInFlight=%d"
              .formatted(inFlight + 1, server.limits().maxRequestsInFlight()));
    }
  }

  private void requireRole(Role needed, int type) {
    if (role != needed) {
      throw new LaneException(
          Code.DENIED,
          "message type %d is for role %s, this connection greeted as %s"
              .formatted(type, lower(needed), lower(role)));
    }
  }

  private static String lower(@Nullable Object one) {
    return String.valueOf(one).toLowerCase(Locale.ROOT);
  }

  private OwnersMessage.Reply owners(OwnersMessage.Request request) {
    Ownership tables = server.ownership();
    return request.handle() == OwnersMessage.Request.NO_DATASET
        ? Owners.members(tables.table(0))
        : Owners.all(tables.table(dataset(request.handle()).backups()));
  }

  private void serve(long requestId, LaneMessage message) {
    if (message instanceof LaneMessage.Read read) {
      trainer.read(requestId, read);
    } else if (message instanceof LaneMessage.Fill fill) {
      trainer.fill(requestId, fill);
    } else if (message instanceof LaneMessage.Renew renew) {
      trainer.renew(renew);
      send(requestId, LaneMessage.Done.to(message));
    } else if (message instanceof LaneMessage.Abandon abandon) {
      trainer.abandon(abandon);
      send(requestId, LaneMessage.Done.to(message));
    } else if (message instanceof ReportMessage report) {
      trainer.report(report);
      send(requestId, LaneMessage.Done.to(message));
    } else if (message instanceof LaneMessage.Open open) {
      open(requestId, open);
    } else if (message instanceof AgreeMessage.Request agree) {
      agree(requestId, agree);
    } else if (message instanceof LaneMessage.Segment segment) {
      createSegment(requestId, segment);
    } else if (message instanceof LaneMessage.Mapped mapped) {
      segment(mapped.segment()).unlink();
      send(requestId, LaneMessage.Done.to(message));
    } else if (message instanceof LaneMessage.Drop drop) {
      drop(drop);
      send(requestId, LaneMessage.Done.to(message));
    } else {
      throw new LaneException(
          Code.MALFORMED, "message type %d is no request".formatted(message.type()));
    }
  }

  private void receiveFromPeer(long requestId, LaneMessage message) {
    if (!(message instanceof PeerMessage fromPeer)) {
      throw new LaneException(
          Code.MALFORMED, "message type %d is none of a peer".formatted(message.type()));
    }
    if (peer == null) {
      peer = new PeerSession(server, context(), wantsOldestFormat());
    }
    peer.receive(requestId, fromPeer);
  }

  private void greet(long requestId, LaneMessage.Hello hello) {
    if (grant != null) {
      throw new LaneException(Code.MALFORMED, "a second HELLO");
    }
    if (hello.lowest() > LaneMessage.VERSION || hello.highest() < LaneMessage.OLDEST_VERSION) {
      throw new LaneException(
          Code.UNSUPPORTED_VERSION,
          "protocol versions %d–%d, this node speaks %d–%d; update the older side"
              .formatted(
                  hello.lowest(),
                  hello.highest(),
                  LaneMessage.OLDEST_VERSION,
                  LaneMessage.VERSION));
    }
    if (server.isGoing() && hello.role() == Role.TRAINER) {
      throw new LaneException(Code.STOPPING, "the cache node is stopping");
    }
    Grant found = grants.of(hello.token());
    if (found == null) {
      refuse(
          requestId,
          RefusalReason.TOKEN,
          new LaneException(
              Code.DENIED,
              (hello.token().isEmpty() ? "no token was shown" : "the token is unknown here")
                  + "; set TRAINING_DAY_TOKEN to one in the node's lane.tokensFile"));
      return;
    }
    if (!found.roles().contains(hello.role())) {
      throw new LaneException(
          Code.DENIED,
          "role %s is not granted, but %s; use another token or way to the node"
              .formatted(
                  lower(hello.role()),
                  found.roles().stream()
                      .map(Connection::lower)
                      .sorted()
                      .collect(Collectors.joining(", "))));
    }
    server.greeted(this, found, hello.role());
    grant = found;
    token = hello.token();
    role = hello.role();
    version = Math.min(hello.highest(), LaneMessage.VERSION);
    stopWaitingForHello();
    LaneLimits limits = server.limits();
    decoder.allow(limits.maxFrameBytes());
    send(
        requestId,
        new LaneMessage.HelloReply(
            version,
            socket != null,
            limits.maxFrameBytes(),
            limits.maxRecordBytes(),
            limits.maxRequestsInFlight(),
            limits.answerTimeoutMillis(),
            limits.leaseTimeoutMillis(),
            limits.maxSegmentBytes(),
            limits.hostId()));
  }

  /**
   * Ends the connection unless its token still grants what it greeted for; what is under way is
   * answered with what there is. On the connection's thread.
   */
  void judgeAgain() {
    Grant before = grant;
    if (before == null || closing) {
      return;
    }
    Grant now = grants.of(token);
    if (now != null && now.tenant().equals(before.tenant()) && now.roles().contains(role)) {
      grant = now;
      return;
    }
    trainer.hurry();
    grant = null;
    refuse(
        0,
        RefusalReason.TOKEN,
        new LaneException(
            Code.DENIED,
            "the token of this connection was taken out of the node's lane.tokensFile, or grants"
                + " less now; set TRAINING_DAY_TOKEN to one that is there"));
  }

  /** Closes, since it has not greeted and others want to; on any thread. */
  void makeWay() {
    onThread(
        () -> {
          if (grant == null) {
            refuse(
                0,
                new LaneException(
                    Code.TOO_MANY, "no HELLO yet, and others wait for the place; connect again"));
          }
        },
        () -> {});
  }

  private void stopWaitingForHello() {
    Future<?> waiting = silence;
    if (waiting != null) {
      waiting.cancel(false);
    }
  }

  private void open(long requestId, LaneMessage.Open open) {
    if (datasets.size() >= MAX_DATASETS && !handles.containsKey(open)) {
      throw new LaneException(
          Code.TOO_MANY,
          "data sets open on this connection=%d, allowed: %d"
              .formatted(MAX_DATASETS + 1, MAX_DATASETS));
    }
    Grant granted = granted();
    grants.requireOwn(granted, open.name());
    if (!granted.datasets().mayRead(open.name())) {
      throw new Denial(
          RefusalReason.GRANT,
          "data set \"%s\" is granted to this token neither for reading nor for filling; take one with read: or fill: of it"
              .formatted(open.name()));
    }
    Opening opening = new Opening(requestId, open);
    runElsewhere(
        server.blocking(), () -> server.open(granted, open), opening::opened, opening::failed);
  }

  /** One OPEN, which is answered while the trainer waits, whatever the grid does. */
  private final class Opening {
    private final long requestId;
    private final LaneMessage.Open open;
    private final Future<?> timeout;
    private boolean answered;

    Opening(long requestId, LaneMessage.Open open) {
      this.requestId = requestId;
      this.open = open;
      requestsInFlight++;
      int millis = server.limits().answerTimeoutMillis() + OPEN_GRACE_MILLIS;
      timeout =
          channel()
              .eventLoop()
              .schedule(
                  () ->
                      failed(
                          new LaneException(
                              Code.FAILED,
                              "the grid has not opened data set \"%s\" within %d ms; try again"
                                  .formatted(open.name(), millis))),
                  millis,
                  TimeUnit.MILLISECONDS);
    }

    void opened(ServedDataset dataset) {
      if (end()) {
        int handle = handles.computeIfAbsent(open, unused -> ++lastHandle);
        datasets.put(handle, dataset);
        send(
            requestId,
            new LaneMessage.OpenReply(handle, dataset.incarnation(), dataset.generation()));
      }
    }

    void failed(Exception e) {
      if (end()) {
        refuse(requestId, e);
      }
    }

    private boolean end() {
      boolean first = !answered && !closing;
      answered = true;
      requestsInFlight -= first ? 1 : 0;
      timeout.cancel(false);
      return first;
    }
  }

  private void agree(long requestId, AgreeMessage.Request request) {
    Agreements agreements = server.services().agreements();
    String tenant = tenant();
    offload(
        server.agreeing(),
        requestId,
        () -> {
          try {
            return new AgreeMessage.Reply(agreements.agree(tenant, request.key(), request.value()));
          } catch (DatasetRefusedException e) {
            throw new LaneException(Code.TOO_MANY, String.valueOf(e.getMessage()));
          } catch (GridUnavailableException e) {
            throw new LaneException(Code.FAILED, String.valueOf(e.getMessage()));
          }
        },
        reply -> reply,
        unused -> {},
        () -> {});
  }

  /** Whose data sets this connection names. */
  String tenant() {
    return granted().tenant();
  }

  /** What its token grants now: the tokens may have been read again since a data set was opened. */
  DatasetGrants grants() {
    return granted().datasets();
  }

  private Grant granted() {
    Grant current = grant;
    if (current == null) {
      throw new IllegalStateException("not greeted yet");
    }
    return current;
  }

  /** Elsewhere, body and all: there may be millions of indices in it. */
  private void administer(long requestId, int type, ByteBuf body) {
    checkRequestsInFlight();
    requireRole(Role.ADMIN, type);
    Grant granted = granted();
    body.retain();
    boolean taken = false;
    try {
      offload(
          server.administering(),
          requestId,
          () -> {
            try {
              AdminMessage request = (AdminMessage) LaneMessage.decode(type, body.nioBuffer());
              return Administration.answer(
                  server.services(), server.latencies(), grants, granted, request);
            } finally {
              body.release();
            }
          },
          message -> message,
          unused -> {},
          () -> {});
      taken = true;
    } finally {
      if (!taken) {
        body.release();
      }
    }
  }

  private void createSegment(long requestId, LaneMessage.Segment request) {
    LocalSocket local = socket;
    if (local == null) {
      throw new LaneException(Code.NO_SEGMENT, "no shared memory over TCP; batches come inline");
    }
    if (segments.size() + segmentsUnderWay >= MAX_SEGMENTS) {
      throw new LaneException(
          Code.TOO_MANY,
          "segments of this connection=%d, allowed: %d; drop one first"
              .formatted(MAX_SEGMENTS + 1, MAX_SEGMENTS));
    }
    if (segmentsUnderWay > 0) {
      throw new LaneException(
          Code.TOO_MANY, "another segment of this connection is under way; wait for it");
    }
    long connectionBytes = segments.values().stream().mapToLong(Segment::bytes).sum();
    int id = ++lastHandle;
    segmentsUnderWay++;
    offload(
        server.atHand(),
        requestId,
        () -> local.segments().create(request.slotBytes(), request.slots(), connectionBytes),
        segment -> {
          segmentsUnderWay--;
          segments.put(id, segment);
          return new LaneMessage.SegmentReply(id, local.told(segment.file(), version));
        },
        Segment::drop,
        () -> segmentsUnderWay--);
  }

  private void drop(LaneMessage.Drop drop) {
    Segment segment = segment(drop.segment());
    if (segment.isInUse()) {
      throw new LaneException(
          Code.MALFORMED, "segment %d is dropped while a READ uses it".formatted(drop.segment()));
    }
    segments.remove(drop.segment());
    segment.drop();
  }

  /** Whether records that come and go here are of the oldest format. */
  boolean wantsOldestFormat() {
    return version == LaneMessage.OLDEST_VERSION;
  }

  /** Sends the reply to a READ and, of an inline one, its payload; frees an inline target. */
  void sendBatch(long requestId, LaneMessage.Batch reply, Target target) {
    ByteBuffer head = reply.frame(requestId);
    if (!(target instanceof Target.Inline inline)) {
      write(Unpooled.wrappedBuffer(head));
    } else if (reply.inline()) {
      write(
          Unpooled.wrappedBuffer(
              Unpooled.wrappedBuffer(head), inline.take(Math.toIntExact(reply.payloadBytes()))));
    } else {
      inline.release();
      write(Unpooled.wrappedBuffer(head));
    }
  }

  ServedDataset dataset(int handle) {
    ServedDataset dataset = datasets.get(handle);
    if (dataset == null) {
      throw new LaneException(
          Code.MALFORMED, "handle %d was not given out on this connection".formatted(handle));
    }
    return dataset;
  }

  Segment segment(int id) {
    Segment segment = segments.get(id);
    if (segment == null) {
      throw new LaneException(
          Code.MALFORMED, "segment %d does not belong to this connection".formatted(id));
    }
    return segment;
  }

  /** Tells the other side that the node goes, where it understands; on any thread. */
  void sayGoing(int closesInMillis) {
    onThread(
        () -> {
          if (!closing && role != null && role != Role.PEER && version >= GOING_SINCE) {
            toldToLeave = role == Role.TRAINER;
            send(0, new LaneMessage.Going(closesInMillis));
          }
        },
        () -> {});
  }

  /** Whether a trainer is still here that was told that the node goes. */
  boolean isToldToLeave() {
    return toldToLeave;
  }

  /** Answers what waits and closes; called when the node stops, on any thread. */
  void stop() {
    context()
        .channel()
        .eventLoop()
        .execute(
            () -> {
              trainer.hurry();
              refuse(0, new LaneException(Code.STOPPING, "the cache node is stopping"));
            });
  }

  Channel channel() {
    return context().channel();
  }

  private ChannelHandlerContext context() {
    ChannelHandlerContext current = context;
    if (current == null) {
      throw new IllegalStateException("not in a pipeline yet");
    }
    return current;
  }

  interface Answer<T> {
    LaneMessage to(T result);
  }

  /**
   * Runs blocking work elsewhere, and then one of the two on this connection's thread, unless it
   * has closed.
   *
   * @param executor whose queue is bounded
   */
  <T> void runElsewhere(
      Executor executor, Callable<T> work, Consumer<T> done, Consumer<Exception> failed) {
    try {
      executor.execute(
          () -> {
            try {
              T result = work.call();
              onThread(() -> unlessClosing(() -> done.accept(result)), () -> {});
            } catch (Exception e) {
              onThread(() -> unlessClosing(() -> failed.accept(e)), () -> {});
            }
          });
    } catch (RejectedExecutionException e) {
      failed.accept(noRoom());
    }
  }

  private void unlessClosing(Runnable task) {
    if (!closing) {
      task.run();
    }
  }

  private LaneException noRoom() {
    return server.isStopping()
        ? new LaneException(Code.STOPPING, "the cache node is stopping")
        : new LaneException(Code.TOO_MANY, "too many requests wait for the grid; try again");
  }

  /**
   * Runs blocking work elsewhere and answers on this connection's thread.
   *
   * @param executor whose queue is bounded
   * @param orphaned takes the result when the connection is gone meanwhile
   * @param failed runs on this connection's thread when there is no result
   */
  private <T> void offload(
      Executor executor,
      long requestId,
      Callable<T> work,
      Answer<T> answer,
      Consumer<T> orphaned,
      Runnable failed) {
    requestsInFlight++;
    Runnable task =
        () -> {
          T result;
          try {
            result = work.call();
          } catch (Exception e) {
            onThread(
                () -> {
                  requestsInFlight--;
                  failed.run();
                  refuse(requestId, e);
                },
                () -> {});
            return;
          }
          onThread(
              () -> {
                requestsInFlight--;
                if (closing) {
                  orphaned.accept(result);
                } else {
                  send(requestId, answer.to(result));
                }
              },
              () -> orphaned.accept(result));
        };
    try {
      executor.execute(task);
    } catch (RejectedExecutionException e) {
      requestsInFlight--;
      failed.run();
      throw noRoom();
    }
  }

  private void onThread(Runnable task, Runnable otherwise) {
    try {
      context().channel().eventLoop().execute(task);
    } catch (RejectedExecutionException e) {
      LOG.debug("The lane's threads are gone", e);
      otherwise.run();
    }
  }

  static LaneException asRefusal(Exception e) {
    if (e instanceof LaneException refusal) {
      return refusal;
    }
    LOG.warn("A lane request failed", e);
    return new LaneException(
        Code.FAILED, "%s: %s".formatted(e.getClass().getSimpleName(), e.getMessage()));
  }

  void refuse(long requestId, Exception e) {
    if (e instanceof Denial denial) {
      refuse(requestId, denial.reason(), denial.refusal());
    } else {
      refuse(requestId, asRefusal(e));
    }
  }

  void refuse(long requestId, LaneException e) {
    refuse(requestId, RefusalReason.of(e.code()), e);
  }

  private void refuse(long requestId, RefusalReason reason, LaneException e) {
    if (closing) {
      return;
    }
    server.countRefusal(reason, context().channel(), e);
    boolean ends =
        e.code() == Code.MALFORMED
            || e.code() == Code.UNSUPPORTED_VERSION
            || e.code() == Code.STOPPING
            || grant == null;
    if (!ends) {
      write(Unpooled.wrappedBuffer(LaneMessage.Failure.of(e).frame(requestId)));
      return;
    }
    closing = true;
    context().channel().config().setAutoRead(false);
    if (heard) {
      context()
          .writeAndFlush(Unpooled.wrappedBuffer(LaneMessage.Failure.of(e).frame(requestId)))
          .addListener(ChannelFutureListener.CLOSE);
    } else {
      var unused = context().close();
    }
  }

  void send(long requestId, LaneMessage message) {
    write(Unpooled.wrappedBuffer(message.frame(requestId)));
  }

  private void write(ByteBuf frame) {
    var unused = context().writeAndFlush(frame, context().voidPromise());
  }
}
