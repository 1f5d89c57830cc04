package io.trainingday.node;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * A port of loopback that passes connections on to another one, and can delay, drop and cut what
 * goes through: for tests of what a network does.
 */
final class TcpProxy implements AutoCloseable {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int MAX_CHUNKS = 256;
  private static final int CONNECT_MILLIS = 5_000;

  private enum State {
    PASS,
    DROP,
    CUT
  }

  private final ServerSocket server;
  private final InetSocketAddress target;
  private final Set<Link> links = ConcurrentHashMap.newKeySet();
  private volatile State state = State.PASS;
  private volatile long delayNanos;

  private TcpProxy(ServerSocket server, InetSocketAddress target) {
    this.server = server;
    this.target = target;
  }

  /** A new port in front of {@code target}. */
  static TcpProxy to(InetSocketAddress target) throws IOException {
    TcpProxy proxy =
        new TcpProxy(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), target);
    start("proxy to " + target, proxy::accept);
    return proxy;
  }

  int port() {
    return server.getLocalPort();
  }

  /** The port as a trainer names it. */
  String address() {
    return "tcp://127.0.0.1:" + port();
  }

  /** From now on every byte arrives so much later, in both directions, in order. */
  void delay(Duration value) {
    delayNanos = value.toNanos();
  }

  /** From now on every byte is taken and lost, as by a host that has lost its power. */
  void drop() {
    state = State.DROP;
  }

  /** Ends all connections, and from now on every new one as soon as it is made. */
  void cut() {
    state = State.CUT;
    links.forEach(Link::close);
  }

  /** Passes everything on again. A connection that lost bytes meanwhile is ended. */
  void heal() {
    delayNanos = 0;
    state = State.PASS;
    links.stream().filter(link -> link.lost).forEach(Link::close);
  }

  /** How many connections there are. */
  int connections() {
    return links.size();
  }

  private void accept() {
    while (true) {
      try {
        Socket client = server.accept();
        if (state == State.CUT) {
          client.close();
        } else {
          open(client);
        }
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void open(Socket client) throws IOException {
    Socket node = new Socket();
    try {
      node.connect(target, CONNECT_MILLIS);
    } catch (IOException nobody) {
      node.close();
      client.close();
      return;
    }
    client.setTcpNoDelay(true);
    node.setTcpNoDelay(true);
    Link link = new Link(client, node);
    links.add(link);
    link.pump(client, node);
    link.pump(node, client);
  }

  private static void start(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    links.forEach(Link::close);
  }

  /** Bytes on their way, and when they are due; none is the end. */
  private record Chunk(ByteBuffer bytes, long dueNanos) {}

  private final class Link {
    private final Socket client;
    private final Socket node;
    private volatile boolean lost;

    Link(Socket client, Socket node) {
      this.client = client;
      this.node = node;
    }

    void pump(Socket from, Socket to) {
      BlockingQueue<Chunk> way = new ArrayBlockingQueue<>(MAX_CHUNKS);
      start("proxy reads " + from, () -> read(from, way));
      start("proxy writes " + to, () -> write(way, to));
    }

    private void read(Socket from, BlockingQueue<Chunk> way) {
      byte[] bytes = new byte[CHUNK_BYTES];
      try (InputStream in = from.getInputStream()) {
        for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
          if (state == State.PASS) {
            way.put(
                new Chunk(
                    ByteBuffer.wrap(Arrays.copyOf(bytes, read)), System.nanoTime() + delayNanos));
          } else {
            lost = true;
          }
        }
        way.put(new Chunk(ByteBuffer.allocate(0), System.nanoTime() + delayNanos));
      } catch (IOException | InterruptedException ended) {
        close();
      }
    }

    private void write(BlockingQueue<Chunk> way, Socket to) {
      try (WritableByteChannel out = Channels.newChannel(to.getOutputStream())) {
        for (Chunk chunk = way.take(); chunk.bytes.hasRemaining(); chunk = way.take()) {
          TimeUnit.NANOSECONDS.sleep(chunk.dueNanos - System.nanoTime());
          out.write(chunk.bytes);
        }
      } catch (IOException | InterruptedException ended) {
        lost = true;
      } finally {
        close();
      }
    }

    void close() {
      links.remove(this);
      try (client;
          node) {
        client.setSoLinger(true, 0);
      } catch (IOException gone) {
        lost = true;
      }
    }
  }
}
