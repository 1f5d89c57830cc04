package io.trainingday.node.lane;

import io.trainingday.lane.Frame;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Speaks the lane frame by frame, so that tests see and break every byte. One thread. */
final class RawClient implements AutoCloseable {
  private final SocketChannel channel;
  private final Path socket;
  private long lastRequest;

  /** A reply and, of an inline batch, its payload. */
  record Reply(LaneMessage message, ByteBuffer payload) {
    <T extends LaneMessage> T as(Class<T> type) {
      if (!type.isInstance(message)) {
        throw new AssertionError("expected " + type.getSimpleName() + ", got " + message);
      }
      return type.cast(message);
    }
  }

  RawClient(Path socket) throws IOException {
    this.socket = socket;
    channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(socket));
  }

  /** Over TCP. */
  RawClient(String hostAndPort) throws IOException {
    socket = Path.of("/no/socket");
    int colon = hostAndPort.lastIndexOf(':');
    channel =
        SocketChannel.open(
            new InetSocketAddress(
                hostAndPort.substring(0, colon),
                Integer.parseInt(hostAndPort.substring(colon + 1))));
  }

  static RawClient greeted(Path socket) throws IOException {
    return new RawClient(socket).greet(LaneMessage.Role.TRAINER, "");
  }

  RawClient greet(LaneMessage.Role role, String token) throws IOException {
    call(hello(role, token)).as(LaneMessage.HelloReply.class);
    return this;
  }

  static LaneMessage.Hello hello(LaneMessage.Role role, String token) {
    return new LaneMessage.Hello(
        LaneMessage.OLDEST_VERSION, LaneMessage.VERSION, role, token, "test");
  }

  int open(String name, long length) throws IOException {
    return open(name, length, "pipeline-1");
  }

  int open(String name, long length, String pipeline) throws IOException {
    return call(new LaneMessage.Open(length, "digest", name, pipeline, "", 255))
        .as(LaneMessage.OpenReply.class)
        .handle();
  }

  Reply call(LaneMessage request) throws IOException {
    long id = send(request);
    return receive(id);
  }

  long send(LaneMessage request) throws IOException {
    long id = ++lastRequest;
    write(request.frame(id));
    return id;
  }

  void write(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  Reply receive(long id) throws IOException {
    ByteBuffer head = read(Frame.HEADER_BYTES);
    Frame frame = Frame.read(head, Integer.MAX_VALUE);
    if (frame.requestId() != id) {
      throw new AssertionError("expected the reply to " + id + ", got " + frame);
    }
    ByteBuffer body = read(frame.bodyBytes());
    LaneMessage message = LaneMessage.decode(frame.type(), body);
    ByteBuffer payload = ByteBuffer.allocate(0);
    if (message instanceof Batch batch && batch.inline()) {
      int start = batch.payloadStart(frame.bodyBytes());
      payload = body.slice(start, frame.bodyBytes() - start).order(ByteOrder.LITTLE_ENDIAN);
    }
    return new Reply(message, payload);
  }

  /** The body of the next frame, whatever it is, which must be of that request. */
  ByteBuffer receiveBody(long id) throws IOException {
    Frame frame = Frame.read(read(Frame.HEADER_BYTES), Integer.MAX_VALUE);
    if (frame.requestId() != id) {
      throw new AssertionError("expected the reply to " + id + ", got " + frame);
    }
    return read(frame.bodyBytes());
  }

  /** Whether the node has closed the connection; waits for it or for a byte. */
  boolean isClosedByNode() throws IOException {
    return channel.read(ByteBuffer.allocate(1)) < 0;
  }

  /**
   * Sends bytes, however wrong, and says that there are no more; then takes what the node still
   * says, which must be whole messages up to the end, none of them of a failure inside the node.
   */
  void sendAndReceiveToTheEnd(ByteBuffer bytes) throws IOException {
    try {
      write(bytes);
      channel.shutdownOutput();
      ByteBuffer head = ByteBuffer.allocate(Frame.HEADER_BYTES);
      while (channel.read(head) >= 0) {
        if (!head.hasRemaining()) {
          Frame frame = Frame.read(head.flip(), Integer.MAX_VALUE);
          LaneMessage message = LaneMessage.decode(frame.type(), read(frame.bodyBytes()));
          if (message instanceof LaneMessage.Failure failure
              && failure.code() == LaneException.Code.FAILED) {
            throw new AssertionError("the node was not prepared for this: " + failure.message());
          }
          head.clear();
        }
      }
    } catch (IOException e) {
      expectGone(e);
    }
  }

  /** Sends bytes, however wrong, says that there are no more, and waits for the node to close. */
  void writeAndReadToTheEnd(ByteBuffer bytes) throws IOException {
    try {
      write(bytes);
      channel.shutdownOutput();
      while (channel.read(ByteBuffer.allocate(1 << 10)) >= 0) {}
    } catch (IOException e) {
      expectGone(e);
    }
  }

  /** What the kernel says of a node that closed before it had read everything. */
  private static void expectGone(IOException e) throws IOException {
    if (!"Connection reset".equals(e.getMessage()) && !"Broken pipe".equals(e.getMessage())) {
      throw e;
    }
  }

  Reply read(int handle, Shape shape, boolean lease, int waitMillis, long... indices)
      throws IOException {
    return call(
        new LaneMessage.Read(
            handle,
            shape,
            lease,
            0,
            LaneMessage.NO_SLOT,
            LaneMessage.NO_SLOT,
            waitMillis,
            indices));
  }

  LaneMessage fill(int handle, long index, long lease, long version, byte[] record)
      throws IOException {
    return call(new LaneMessage.Fill(handle, 0, index, lease, version, ByteBuffer.wrap(record)))
        .message();
  }

  /** Maps a new segment of one connection. */
  Mapped segment(long slotBytes, int slots) throws IOException {
    LaneMessage.SegmentReply reply =
        call(new LaneMessage.Segment(slotBytes, slots)).as(LaneMessage.SegmentReply.class);
    Path path = socket.resolveSibling(reply.path());
    try (FileChannel file =
        FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MappedByteBuffer memory = file.map(FileChannel.MapMode.READ_WRITE, 0, slotBytes * slots);
      memory.order(ByteOrder.LITTLE_ENDIAN);
      call(new LaneMessage.Mapped(reply.segment())).as(LaneMessage.Done.class);
      return new Mapped(reply.segment(), path, memory);
    }
  }

  record Mapped(int segment, Path path, ByteBuffer memory) {}

  /** A record with an image of {@code side × side} bytes derived from the index, and a label. */
  static byte[] record(long index, int side) {
    return record(index, side, 0, System.currentTimeMillis());
  }

  /** The same of a source with a stamp, made at a time. */
  static byte[] record(long index, int side, long stamp, long createdMillis) {
    ByteBuffer image = ByteBuffer.allocate(side * side);
    for (int i = 0; i < image.capacity(); i++) {
      image.put(i, pixel(index, i));
    }
    ByteBuffer label = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, index);
    return RecordCodec.create()
        .encode(
            SampleRecord.builder()
                .tensor("image", DType.U8, new long[] {side, side}, image)
                .tensor("label", DType.I64, new long[0], label)
                .sourceStamp(stamp)
                .createdMillis(createdMillis)
                .build());
  }

  static byte pixel(long index, int i) {
    return (byte) (index * 31 + i * 7L + (i >>> 8));
  }

  private ByteBuffer read(int count) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes) < 0) {
        throw new EOFException("the node closed the connection");
      }
    }
    return bytes.flip();
  }

  /** Goes away in the middle, as a killed trainer does. */
  void hangUp() throws IOException {
    channel.close();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
