package io.trainingday.node.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.trainingday.lane.Frame;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordFormat;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * One peer against a node that answers what it must to be connected to, pings, and nothing else.
 */
@Timeout(60)
class PeerTest {
  private static final int MAX_PENDING = 4_096;
  private static final int ANSWER_TIMEOUT_MILLIS = 50_000;

  @Test
  void ping_asManyRequestsAreUnansweredAsMayBe_isSentAllTheSame() throws Exception {
    MultiThreadIoEventLoopGroup loops =
        new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    try (Silent silent = new Silent()) {
      Peer peer =
          new Peer(
              silent.member(),
              1,
              new Peers.Shared(
                  UUID.randomUUID(), () -> LaneAccess.OPEN, ANSWER_TIMEOUT_MILLIS, 1 << 20),
              loops.next());
      try {
        AtomicInteger failed = new AtomicInteger();
        for (int i = 0; i < MAX_PENDING; i++) {
          read(peer, failed);
        }
        await().until(() -> silent.reads.get() == MAX_PENDING);
        read(peer, failed);
        await().until(() -> failed.get() == 1);

        CompletableFuture<Pong> pong = peer.ping(new Ping(UUID.randomUUID(), 0));

        assertThat(pong.get(30, TimeUnit.SECONDS).freeBytes()).isEqualTo(Silent.FREE_BYTES);
      } finally {
        peer.close();
      }
    } finally {
      loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }
  }

  private static void read(Peer peer, AtomicInteger failed) {
    PeerMessage.KeySpace keys = new PeerMessage.KeySpace(1, 2, 3, 0, 0, 0);
    var unused =
        peer.read(
            new PeerRead(keys, false, true, false, 0, 0, new long[] {1}, new long[] {0}),
            new Landing() {
              @Override
              public @Nullable RecordSink begin(int position, int recordBytes, int sentBytes) {
                return null;
              }

              @Override
              public void landed(int position) {}

              @Override
              public void missing(int position, PeerStatus status, long lease) {}

              @Override
              public void ended(boolean complete) {
                failed.incrementAndGet();
              }
            });
  }

  private static final class Silent implements AutoCloseable {
    static final long FREE_BYTES = 77;

    final AtomicInteger reads = new AtomicInteger();
    private final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final Thread thread = new Thread(this::serve, "silent node");

    Silent() throws IOException {
      thread.start();
    }

    Member member() {
      return new Member(
          UUID.randomUUID(),
          "silent",
          "silent-host",
          Optional.of("127.0.0.1:" + server.getLocalPort()),
          1 << 20,
          RecordFormat.OLDEST,
          false);
    }

    private void serve() {
      try (Socket socket = server.accept();
          DataInputStream in = new DataInputStream(socket.getInputStream())) {
        while (true) {
          Frame frame =
              Frame.read(ByteBuffer.wrap(in.readNBytes(Frame.HEADER_BYTES)), Integer.MAX_VALUE);
          LaneMessage message =
              LaneMessage.decode(frame.type(), ByteBuffer.wrap(in.readNBytes(frame.bodyBytes())));
          @Nullable LaneMessage reply = reply(message);
          if (reply != null) {
            ByteBuffer frameOfReply = reply.frame(frame.requestId());
            byte[] bytes = new byte[frameOfReply.remaining()];
            frameOfReply.get(bytes);
            socket.getOutputStream().write(bytes);
          }
        }
      } catch (IOException | RuntimeException e) {
        // The peer has closed.
      }
    }

    private @Nullable LaneMessage reply(LaneMessage message) {
      if (message instanceof LaneMessage.Hello) {
        return new LaneMessage.HelloReply(
            LaneMessage.VERSION, false, 1 << 20, 1 << 20, 64, ANSWER_TIMEOUT_MILLIS, 1_000, 0, "h");
      }
      if (message instanceof PeerMessage.PeerPing) {
        return new PeerMessage.PeerPong(false, FREE_BYTES);
      }
      if (message instanceof PeerRead) {
        reads.incrementAndGet();
        return null;
      }
      return LaneMessage.Done.to(message);
    }

    @Override
    public void close() throws IOException {
      server.close();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
