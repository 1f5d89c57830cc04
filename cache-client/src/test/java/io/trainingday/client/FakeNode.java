package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Abandon;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Done;
import io.trainingday.lane.LaneMessage.Drop;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Mapped;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.OpenReply;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Segment;
import io.trainingday.lane.LaneMessage.SegmentReply;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.StatusReply;
import io.trainingday.lane.LaneMessage.StatusRequest;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.lane.ScriptedServer;
import io.trainingday.lane.ScriptedServer.Peer;
import io.trainingday.lane.ScriptedServer.Request;
import io.trainingday.record.CollatedLayout;
import io.trainingday.record.RecordLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A small cache node in memory that keeps to the protocol, until a test tells it not to. Requests
 * of one connection are answered side by side.
 */
final class FakeNode implements AutoCloseable {
  /** Says what the test wants instead of the right answer. */
  interface Twist {
    /** Answers, or returns false for the right answer. */
    boolean answer(Peer peer, Request request) throws IOException;
  }

  private static final byte[] NO_HIT = new byte[0];

  private final Path directory;
  private final HelloReply limits;
  private final ScriptedServer server;
  private final AtomicInteger nextSegment = new AtomicInteger();
  private final AtomicLong nextLease = new AtomicLong(100);
  private final Map<Integer, ByteBuffer> segments = new ConcurrentHashMap<>();
  private final Map<Integer, Segment> segmentSizes = new ConcurrentHashMap<>();
  private final List<LaneMessage> requests = new CopyOnWriteArrayList<>();
  private volatile List<OwnersMessage.Member> members = List.of();
  private volatile boolean hangs;
  private volatile Twist twist = (peer, request) -> false;
  // Guarded by this.
  private final Map<Long, byte[]> records = new TreeMap<>();
  private final Map<Long, Long> leases = new TreeMap<>();
  private final Set<Long> othersLeases = new HashSet<>();

  private FakeNode(Path directory, HelloReply limits, Opener opener) throws IOException {
    this.directory = directory;
    this.limits = limits;
    this.server = opener.open(this::serve);
  }

  private interface Opener {
    ScriptedServer open(ScriptedServer.Script script) throws IOException;
  }

  static Path socket(Path directory) {
    return directory.resolve("lane.sock");
  }

  static FakeNode start(Path directory) throws IOException {
    return start(directory, ScriptedServer.limits());
  }

  static FakeNode start(Path directory, HelloReply limits) throws IOException {
    return new FakeNode(
        directory, limits, script -> ScriptedServer.start(socket(directory), script));
  }

  /** Over TCP, without shared memory. */
  static FakeNode startTcp(Path directory, int port) throws IOException {
    HelloReply limits =
        new HelloReply(LaneMessage.VERSION, false, 1 << 20, 1 << 20, 16, 1_000, 10_000, 0, "there");
    return new FakeNode(directory, limits, script -> ScriptedServer.startTcp(port, script));
  }

  /** {@code HOST:PORT}. */
  String laneAddress() {
    return address().text().substring("tcp://".length());
  }

  /** What it says of the other nodes of its grid. */
  void tellOf(FakeNode... nodes) {
    tellOf(
        Arrays.stream(nodes)
            .map(
                node ->
                    new OwnersMessage.Member(
                        node.laneAddress(), "there", node.laneAddress(), 1, false))
            .toArray(OwnersMessage.Member[]::new));
  }

  /** What it says of its grid; of two partitions the last one is the last member's. */
  void tellOf(OwnersMessage.Member... told) {
    members = List.of(told);
  }

  /** Answers nothing any more, not even a greeting. */
  void hang() {
    hangs = true;
  }

  int connections() {
    return server.connections();
  }

  LaneAddress address() {
    return server.address();
  }

  /** From now on. */
  void twist(Twist next) {
    twist = next;
  }

  void untwist() {
    twist((peer, request) -> false);
  }

  /** Leases go with them. */
  void dropConnections() {
    server.dropConnections();
    synchronized (this) {
      leases.clear();
    }
  }

  /** Requests of that kind so far, in the order they came. */
  <T extends LaneMessage> List<T> received(Class<T> kind) {
    return requests.stream().filter(kind::isInstance).map(kind::cast).toList();
  }

  synchronized Map<Long, byte[]> records() {
    return new TreeMap<>(records);
  }

  synchronized void put(long index, byte[] record) {
    records.put(index, record);
    leases.remove(index);
    othersLeases.remove(index);
    notifyAll();
  }

  /** Somebody else is loading it. */
  synchronized void leaseToOther(long index) {
    othersLeases.add(index);
  }

  /** Somebody else has given up. */
  synchronized void otherFails(long index) {
    othersLeases.remove(index);
    notifyAll();
  }

  /** Takes a lease back. */
  synchronized void endLease(long index) {
    leases.remove(index);
  }

  synchronized Set<Long> leasedIndices() {
    return new HashSet<>(leases.keySet());
  }

  /** The memory of a slot as the node sees it. */
  ByteBuffer slot(Read read) {
    long bytes = Objects.requireNonNull(segmentSizes.get(read.segment())).slotBytes();
    return Objects.requireNonNull(segments.get(read.segment()))
        .slice((int) (read.slot() * bytes), (int) bytes);
  }

  @Override
  public void close() throws IOException {
    server.close();
  }

  private void serve(Peer peer) throws IOException {
    if (hangs) {
      peer.awaitEnd();
    }
    peer.greet(limits);
    while (true) {
      Request request = peer.next();
      if (hangs) {
        peer.awaitEnd();
      }
      requests.add(request.message());
      peer.aside(
          () -> {
            if (!twist.answer(peer, request)) {
              answer(peer, request);
            }
          });
    }
  }

  /** The right answer. */
  void answer(Peer peer, Request request) throws IOException {
    LaneMessage message = request.message();
    if (message instanceof Open) {
      peer.send(new OpenReply(1, 1, 0), request.id());
    } else if (message instanceof Segment segment) {
      peer.send(create(segment), request.id());
    } else if (message instanceof Mapped mapped) {
      Files.delete(file(mapped.segment()));
      peer.send(Done.to(message), request.id());
    } else if (message instanceof Drop drop) {
      segments.remove(drop.segment());
      Files.deleteIfExists(file(drop.segment()));
      peer.send(Done.to(message), request.id());
    } else if (message instanceof Read read) {
      read(peer, request.id(), read);
    } else if (message instanceof Fill fill) {
      byte[] record = new byte[fill.record().remaining()];
      fill.record().get(record);
      put(fill.index(), record);
      peer.send(new FillReply(FillResult.TAKEN, ""), request.id());
    } else if (message instanceof Abandon abandon) {
      abandoned(abandon);
      peer.send(Done.to(message), request.id());
    } else if (message instanceof OwnersMessage.Request) {
      peer.send(owners(), request.id());
    } else if (message instanceof StatusRequest) {
      peer.send(new StatusReply("{}"), request.id());
    } else {
      peer.send(Done.to(message), request.id());
    }
  }

  private OwnersMessage.Reply owners() {
    int[][] copies =
        switch (members.size()) {
          case 0 -> new int[0][];
          case 1 -> new int[][] {{0}, {0}};
          default -> new int[][] {{0}, {members.size() - 1, 0}};
        };
    return new OwnersMessage.Reply(1, members, copies);
  }

  private synchronized void abandoned(Abandon abandon) {
    for (int i = 0; i < abandon.indices().length; i++) {
      leases.remove(abandon.indices()[i], abandon.leases()[i]);
    }
    notifyAll();
  }

  private Path file(int segment) {
    return directory.resolve("segment-" + segment);
  }

  private SegmentReply create(Segment segment) throws IOException {
    int id = nextSegment.incrementAndGet();
    long bytes = segment.slotBytes() * segment.slots();
    try (FileChannel file =
        FileChannel.open(
            file(id),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      segments.put(id, file.map(FileChannel.MapMode.READ_WRITE, 0, bytes));
    }
    segmentSizes.put(id, segment);
    return new SegmentReply(id, file(id).toString());
  }

  private void read(Peer peer, long id, Read read) throws IOException {
    Status[] statuses = new Status[read.indices().length];
    List<Long> given = new ArrayList<>();
    byte[][] hits = resolve(read, statuses, given);
    Writer writer = new Writer(read.shape(), hits);
    ByteBuffer slot = read.slot() == LaneMessage.NO_SLOT ? null : slot(read);
    boolean tooSmall = slot != null && slot.capacity() < writer.bytes;
    if (tooSmall) {
      Arrays.asList(statuses).replaceAll(one -> one == Status.HIT ? Status.MISS : one);
    }
    if (slot == null && writer.bytes > limits.maxFrameBytes() - 64 * 1024) {
      LaneException tooLarge =
          new LaneException(LaneException.Code.TOO_LARGE, "ask for fewer samples at a time");
      peer.send(Failure.of(tooLarge), id);
      return;
    }
    long[] leases = given.stream().mapToLong(Long::longValue).toArray();
    Table table = tooSmall ? new Table.Empty() : writer.table;
    Batch batch =
        new Batch(
            0,
            read.shape(),
            slot == null,
            tooSmall,
            writer.bytes,
            statuses,
            leases,
            new long[leases.length],
            table);
    if (slot == null) {
      ByteBuffer payload = ByteBuffer.allocate(Math.toIntExact(writer.bytes));
      writer.write(payload);
      peer.send(batch, id, payload);
    } else {
      if (!tooSmall) {
        writer.write(slot);
      }
      peer.send(batch, id);
    }
  }

  private synchronized byte[][] resolve(Read read, Status[] statuses, List<Long> given) {
    long until = System.nanoTime() + read.waitMillis() * 1_000_000L;
    while (Arrays.stream(read.indices()).anyMatch(othersLeases::contains)) {
      long left = (until - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        break;
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
    byte[][] hits = new byte[read.indices().length][];
    for (int i = 0; i < statuses.length; i++) {
      long index = read.indices()[i];
      hits[i] = records.getOrDefault(index, NO_HIT);
      if (hits[i].length > 0) {
        statuses[i] = Status.HIT;
      } else if (!read.lease()) {
        statuses[i] = Status.MISS;
      } else if (othersLeases.contains(index) || leases.containsKey(index)) {
        statuses[i] = Status.LEASED_TO_OTHER;
      } else {
        long lease = nextLease.incrementAndGet();
        leases.put(index, lease);
        given.add(lease);
        statuses[i] = Status.LEASED_TO_YOU;
      }
    }
    return hits;
  }

  /** Lays a batch out as {@code contract/record.md} says. */
  private static final class Writer {
    private final byte[][] hits;
    private final List<Copy> copies = new ArrayList<>();
    private Table table = new Table.Empty();
    private long bytes;

    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record Copy(byte[] from, int at, int length, long to) {}

    Writer(Shape shape, byte[][] hits) {
      this.hits = hits;
      switch (shape) {
        case RECORDS -> records();
        case COLLATED -> collated();
        case RAGGED -> ragged();
      }
    }

    void write(ByteBuffer target) {
      for (Copy copy : copies) {
        target.put((int) copy.to, copy.from, copy.at, copy.length);
      }
    }

    private void records() {
      long[] offsets = new long[hits.length];
      int[] lengths = new int[hits.length];
      for (int i = 0; i < hits.length; i++) {
        byte[] hit = hits[i];
        if (hit.length > 0) {
          offsets[i] = bytes;
          lengths[i] = hit.length;
          copies.add(new Copy(hit, 0, hit.length, bytes));
          bytes = (bytes + hit.length + 63) & -64;
        }
      }
      table = new Table.Records(offsets, lengths);
    }

    private void collated() {
      byte[] first = first();
      if (first.length == 0) {
        return;
      }
      RecordLayout layout = layout(first);
      CollatedLayout places = CollatedLayout.of(layout, hits.length);
      for (int i = 0; i < hits.length; i++) {
        byte[] hit = hits[i];
        for (int f = 0; hit.length > 0 && f < layout.fields().size(); f++) {
          RecordLayout.Field field = layout(hit).fields().get(f);
          copies.add(new Copy(hit, field.offset(), field.length(), places.position(f, i)));
        }
      }
      bytes = places.totalBytes();
      table = new Table.Collated(start(first));
    }

    private void ragged() {
      byte[] first = first();
      if (first.length == 0) {
        return;
      }
      List<Table.RaggedField> fields = new ArrayList<>();
      for (int f = 0; f < layout(first).fields().size(); f++) {
        int rank = layout(first).fields().get(f).rank();
        long[] offsets = new long[hits.length + 1];
        long[] shapes = new long[hits.length * rank];
        for (int i = 0; i < hits.length; i++) {
          byte[] hit = hits[i];
          offsets[i + 1] = offsets[i];
          if (hit.length > 0) {
            RecordLayout.Field field = layout(hit).fields().get(f);
            copies.add(new Copy(hit, field.offset(), field.length(), bytes + offsets[i]));
            offsets[i + 1] += field.length();
            System.arraycopy(field.shape(), 0, shapes, i * rank, rank);
          }
        }
        fields.add(new Table.RaggedField(rank, bytes, offsets, shapes));
        bytes = (bytes + offsets[hits.length] + 63) & -64;
      }
      table = new Table.Ragged(start(first), fields);
    }

    private byte[] first() {
      for (byte[] hit : hits) {
        if (hit.length > 0) {
          return hit;
        }
      }
      return NO_HIT;
    }

    private static RecordLayout layout(byte[] record) {
      return RecordLayout.parse(ByteBuffer.wrap(record), record.length);
    }

    /** Header and descriptor without the padding behind them. */
    private static byte[] start(byte[] record) {
      return Arrays.copyOf(record, RecordLayout.HEADER_BYTES + layout(record).descriptorLength());
    }
  }
}
