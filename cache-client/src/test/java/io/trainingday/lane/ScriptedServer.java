package io.trainingday.lane;

import io.trainingday.lane.LaneMessage.Hello;
import io.trainingday.lane.LaneMessage.HelloReply;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Serves a Unix socket with blocking reads, one thread a connection, and says what a test wants.
 */
public final class ScriptedServer implements AutoCloseable {
  /** What one connection is told. */
  public interface Script {
    void run(Peer peer) throws IOException;
  }

  /** What is done beside the script. */
  public interface Work {
    void run() throws IOException;
  }

  /** One message of a client. */
  public record Request(long id, LaneMessage message) {}

  private final ServerSocketChannel server;
  private final Path socket;
  private final Set<Peer> peers = ConcurrentHashMap.newKeySet();

  private ScriptedServer(ServerSocketChannel server, Path socket) {
    this.server = server;
    this.socket = socket;
  }

  public static ScriptedServer start(Path socket, Script script) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    ScriptedServer started = new ScriptedServer(server, socket);
    thread(() -> started.acceptAll(script));
    return started;
  }

  public LaneAddress address() {
    return new LaneAddress("unix:" + socket, "test");
  }

  /** Limits that do not matter to most tests. */
  public static HelloReply limits() {
    return new HelloReply(
        LaneMessage.VERSION, true, 1 << 20, 1 << 20, 16, 1_000, 10_000, 64L << 20, "here");
  }

  /** Ends every connection; new ones are taken. */
  public void dropConnections() {
    peers.forEach(Peer::close);
  }

  @Override
  public void close() throws IOException {
    server.close();
    Files.deleteIfExists(socket);
    dropConnections();
  }

  private static void thread(Runnable work) {
    Thread thread = new Thread(work, "scripted-server");
    thread.setDaemon(true);
    thread.start();
  }

  private void acceptAll(Script script) {
    while (server.isOpen()) {
      try {
        Peer peer = new Peer(server.accept());
        peers.add(peer);
        thread(() -> serve(peer, script));
      } catch (IOException e) {
        return; // Closed.
      }
    }
  }

  private void serve(Peer peer, Script script) {
    try (peer) {
      unlessGone(() -> script.run(peer));
    } finally {
      peers.remove(peer);
    }
  }

  private static void unlessGone(Work work) {
    try {
      work.run();
    } catch (IOException e) {
      return; // The client has gone, which is its right.
    }
  }

  /** One connection. */
  public static final class Peer implements AutoCloseable {
    private final SocketChannel channel;

    private Peer(SocketChannel channel) {
      this.channel = channel;
    }

    /** Answers HELLO. */
    public void greet(HelloReply limits) throws IOException {
      Request hello = next();
      if (!(hello.message() instanceof Hello)) {
        throw new IllegalStateException("no greeting: " + hello);
      }
      send(limits, hello.id());
    }

    /** Waits for the next message. */
    public Request next() throws IOException {
      ByteBuffer header = read(Frame.HEADER_BYTES);
      Frame frame = Frame.read(header, 1 << 30);
      return new Request(
          frame.requestId(), LaneMessage.decode(frame.type(), read(frame.bodyBytes())));
    }

    public synchronized void send(LaneMessage message, long id, ByteBuffer... payload)
        throws IOException {
      raw(message.frame(id));
      for (ByteBuffer part : payload) {
        raw(part);
      }
    }

    public synchronized void raw(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }

    /** Does something while the script goes on. */
    public void aside(Work work) {
      thread(() -> unlessGone(work));
    }

    /** Waits until the client closes, and reads nothing of what it says. */
    public void awaitEnd() throws IOException {
      while (channel.read(ByteBuffer.allocate(1 << 16)) >= 0) {}
    }

    @Override
    public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }

    private ByteBuffer read(int bytes) throws IOException {
      ByteBuffer buffer = ByteBuffer.allocate(bytes);
      while (buffer.hasRemaining()) {
        if (channel.read(buffer) < 0) {
          throw new EOFException();
        }
      }
      return buffer.flip();
    }
  }
}
