package io.trainingday.bench.peer;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.Workload;
import io.trainingday.lane.SocketBuffers;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * Sends samples over plain sockets. A client says which workload it reads, then asks for batches:
 *
 * <pre>
 * once:   u32 bytes of a sample, u32 number of samples
 * batch:  u32 count, count × i64 index       answered by the samples' bytes in that order
 * </pre>
 */
final class RawTcpServer implements AutoCloseable {
  private static final int MAX_BATCH = 4_096;

  private final ServerSocketChannel server;

  private RawTcpServer(ServerSocketChannel server) {
    this.server = server;
  }

  static RawTcpServer start() {
    try {
      ServerSocketChannel server = ServerSocketChannel.open();
      if (SocketBuffers.bytes().isPresent()) {
        server.setOption(StandardSocketOptions.SO_RCVBUF, SocketBuffers.bytes().getAsInt());
      }
      server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      RawTcpServer started = new RawTcpServer(server);
      daemon(started::accept, "raw-tcp");
      return started;
    } catch (IOException failure) {
      throw new BenchException("no server on loopback: " + failure.getMessage(), failure);
    }
  }

  private static void daemon(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }

  int port() {
    return server.socket().getLocalPort();
  }

  private void accept() {
    try {
      while (true) {
        SocketChannel client = server.accept();
        daemon(() -> serve(client), "raw-tcp of " + client);
      }
    } catch (AsynchronousCloseException stopped) {
      return;
    } catch (IOException failure) {
      throw new BenchException("raw-tcp accepts no more: " + failure.getMessage(), failure);
    }
  }

  /** Until the client closes. */
  private static void serve(SocketChannel client) {
    try (client) {
      client.setOption(StandardSocketOptions.TCP_NODELAY, true);
      SocketBuffers.setOn(client);
      ByteBuffer start = ByteBuffer.allocateDirect(2 * Integer.BYTES);
      read(client, start);
      Workload workload = new Workload(start.getInt(), start.getInt());
      ByteBuffer samples = ByteBuffer.allocateDirect(Math.toIntExact(workload.bytes()));
      for (int i = 0; i < workload.count(); i++) {
        samples.put(workload.sample(i));
      }
      ByteBuffer count = ByteBuffer.allocateDirect(Integer.BYTES);
      ByteBuffer indices = ByteBuffer.allocateDirect(MAX_BATCH * Long.BYTES);
      while (true) {
        read(client, count.clear());
        read(client, indices.clear().limit(count.getInt() * Long.BYTES));
        ByteBuffer[] batch = new ByteBuffer[indices.remaining() / Long.BYTES];
        for (int i = 0; i < batch.length; i++) {
          int offset = (int) indices.getLong() * workload.sampleBytes();
          batch[i] = samples.slice(offset, workload.sampleBytes());
        }
        while (batch[batch.length - 1].hasRemaining()) {
          client.write(batch);
        }
      }
    } catch (EOFException closed) {
      return;
    } catch (IOException failure) {
      throw new BenchException("raw-tcp lost its client: " + failure.getMessage(), failure);
    }
  }

  /** Reads until the buffer is full, then flips it. */
  static void read(ReadableByteChannel channel, ByteBuffer target) throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target) < 0) {
        throw new EOFException();
      }
    }
    target.flip();
  }

  @Override
  public void close() throws IOException {
    server.close();
  }
}
