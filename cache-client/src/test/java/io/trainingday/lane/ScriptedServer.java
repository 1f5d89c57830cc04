package io.trainingday.lane;

import io.trainingday.lane.LaneMessage.Hello;
import io.trainingday.lane.LaneMessage.HelloReply;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ServerSocketFactory;
import javax.net.ssl.SSLSocket;

/**
 * Serves a Unix socket or a TCP port with blocking reads, one thread a connection, and says what a
 * test wants.
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

  /** The bytes of one connection. */
  private interface Wire extends AutoCloseable {
    int read(ByteBuffer bytes) throws IOException;

    void write(ByteBuffer bytes) throws IOException;

    @Override
    void close() throws IOException;
  }

  private interface Acceptor {
    Wire accept() throws IOException;
  }

  private final Closeable server;
  private final LaneAddress address;
  private final Set<Peer> peers = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  private ScriptedServer(Closeable server, LaneAddress address) {
    this.server = server;
    this.address = address;
  }

  public static ScriptedServer start(Path socket, Script script) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    return start(
        () -> {
          server.close();
          Files.deleteIfExists(socket);
        },
        new LaneAddress("unix:" + socket, "test"),
        () -> new ChannelWire(server.accept()),
        script);
  }

  /** At any free port of the loopback address. */
  public static ScriptedServer startTcp(Script script) throws IOException {
    return startTcp(0, script);
  }

  public static ScriptedServer startTcp(int port, Script script) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open();
    server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return start(
        server,
        tcp(server.socket().getLocalPort()),
        () -> new ChannelWire(server.accept()),
        script);
  }

  /** Speaks TLS with the JDK's sockets, at any free port of the loopback address. */
  public static ScriptedServer startTls(ServerSocketFactory sockets, Script script)
      throws IOException {
    ServerSocket server = sockets.createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    return start(server, tcp(server.getLocalPort()), () -> new StreamWire(server.accept()), script);
  }

  private static LaneAddress tcp(int port) {
    return new LaneAddress("tcp://127.0.0.1:" + port, "test");
  }

  private static ScriptedServer start(
      Closeable server, LaneAddress address, Acceptor acceptor, Script script) {
    ScriptedServer started = new ScriptedServer(server, address);
    thread(() -> started.acceptAll(acceptor, script));
    return started;
  }

  public LaneAddress address() {
    return address;
  }

  /** Limits that do not matter to most tests. */
  public static HelloReply limits() {
    return new HelloReply(
        LaneMessage.VERSION, true, 1 << 20, 1 << 20, 16, 1_000, 10_000, 64L << 20, "here");
  }

  /** How many there are now. */
  public int connections() {
    return peers.size();
  }

  /** Ends every connection; new ones are taken. */
  public void dropConnections() {
    peers.forEach(Peer::close);
  }

  @Override
  public void close() throws IOException {
    closed = true;
    server.close();
    dropConnections();
  }

  private static void thread(Runnable work) {
    Thread thread = new Thread(work, "scripted-server");
    thread.setDaemon(true);
    thread.start();
  }

  private void acceptAll(Acceptor acceptor, Script script) {
    while (!closed) {
      try {
        Peer peer = new Peer(acceptor.accept());
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
    private final Wire wire;

    private Peer(Wire wire) {
      this.wire = wire;
    }

    /** Starts a TLS handshake, or a change of keys after the first one. */
    public void startHandshake() throws IOException {
      ((SSLSocket) ((StreamWire) wire).socket).startHandshake();
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
        wire.write(bytes);
      }
    }

    /** Does something while the script goes on. */
    public void aside(Work work) {
      thread(() -> unlessGone(work));
    }

    /** Waits until the client closes, and reads nothing of what it says. */
    public void awaitEnd() throws IOException {
      while (wire.read(ByteBuffer.allocate(1 << 16)) >= 0) {}
    }

    @Override
    public void close() {
      try {
        wire.close();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }

    private ByteBuffer read(int bytes) throws IOException {
      ByteBuffer buffer = ByteBuffer.allocate(bytes);
      while (buffer.hasRemaining()) {
        if (wire.read(buffer) < 0) {
          throw new EOFException();
        }
      }
      return buffer.flip();
    }
  }

  private record ChannelWire(SocketChannel channel) implements Wire {
    @Override
    public int read(ByteBuffer bytes) throws IOException {
      return channel.read(bytes);
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      channel.write(bytes);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private record StreamWire(Socket socket) implements Wire {
    @Override
    public int read(ByteBuffer bytes) throws IOException {
      int count =
          socket
              .getInputStream()
              .read(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
      bytes.position(bytes.position() + Math.max(count, 0));
      return count;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      byte[] all = new byte[bytes.remaining()];
      bytes.get(all);
      socket.getOutputStream().write(all);
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }
}
