package io.trainingday.bench.peer;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.lane.SocketBuffers;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** Asks a {@link RawTcpServer} and receives its bytes into the buffer. */
final class RawTcpPath extends BufferedPath {
  private final SocketChannel server;
  private final int sampleBytes;
  private final ByteBuffer into;
  private final ByteBuffer request = ByteBuffer.allocateDirect(Integer.BYTES + (64 << 10));

  RawTcpPath(int port, Workload workload, Target target) {
    super(target);
    sampleBytes = workload.sampleBytes();
    into = target.bytes().duplicate();
    try {
      server = SocketChannel.open().setOption(StandardSocketOptions.TCP_NODELAY, true);
      SocketBuffers.setOn(
          server); // As the lane does: the limit is that of a connection set up well.
      server.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      send(request.putInt(workload.sampleBytes()).putInt(workload.count()));
    } catch (IOException failure) {
      throw lost(failure);
    }
  }

  @Override
  public void read(long[] indices) {
    request.clear().putInt(indices.length);
    for (long index : indices) {
      request.putLong(index);
    }
    try {
      send(request);
      RawTcpServer.read(server, into.clear().limit(indices.length * sampleBytes));
    } catch (IOException failure) {
      throw lost(failure);
    }
  }

  private void send(ByteBuffer bytes) throws IOException {
    bytes.flip();
    while (bytes.hasRemaining()) {
      server.write(bytes);
    }
  }

  private static BenchException lost(IOException failure) {
    return new BenchException("raw-tcp lost its server: " + failure.getMessage(), failure);
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException failure) {
      throw lost(failure);
    }
  }
}
