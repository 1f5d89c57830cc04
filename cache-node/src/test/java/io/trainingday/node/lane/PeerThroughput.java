package io.trainingday.node.lane;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/**
 * Batches whose samples all live on another node, as a trainer sees them in its slot, beside the
 * same bytes over a plain TCP connection between the same two processes. Not a test; run it by
 *
 * <pre>{@code java @cache-node/bin/ignite.jvmargs -cp ... PeerThroughput [bytes a sample] [rounds]}</pre>
 */
final class PeerThroughput {
  private static final int BATCH = 64;
  private static final long WORKING_SET = 192L << 20;
  private static final int TURNS = 7;
  private static final String NAME = "throughput";

  private PeerThroughput() {}

  public static void main(String[] arguments) throws Exception {
    if (arguments.length > 0 && arguments[0].equals("owner")) {
      own(Path.of(arguments[1]), Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
      return;
    }
    int sampleBytes = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 150_528;
    long sliceNanos = (arguments.length > 1 ? Long.parseLong(arguments[1]) : 500) * 1_000_000;
    Path directory = Files.createTempDirectory("peer-throughput-");
    int firstPort = TestNodes.freePort();
    int rawPort = TestNodes.freePort();
    Process owner = startOwner(directory, firstPort, rawPort);
    System.setProperty("owner.pid", Long.toString(owner.pid()));
    try (BufferedReader said =
            new BufferedReader(
                new InputStreamReader(owner.getInputStream(), StandardCharsets.UTF_8))) {
      if (!"ready".equals(said.readLine())) {
        throw new IllegalStateException("the owner did not start");
      }
      try (CacheNode node =
              CacheNode.launch(settings(directory.resolve("reader"), 1, firstPort).build());
          RawClient client = RawClient.greeted(node.socket());
          SocketChannel raw = SocketChannel.open(new InetSocketAddress("127.0.0.1", rawPort))) {
        measure(client, raw, sampleBytes, sliceNanos);
      }
    } finally {
      owner.destroy();
      owner.waitFor();
    }
  }

  private static Process startOwner(Path directory, int firstPort, int rawPort)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@bin/ignite.jvmargs");
    command.addAll(List.of(System.getProperty("owner.options", "-Xmx512m").split(" ")));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(
        List.of(
            PeerThroughput.class.getName(),
            "owner",
            directory.resolve("owner").toString(),
            Integer.toString(firstPort),
            Integer.toString(rawPort)));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static Settings.Builder settings(Path directory, int number, int firstPort)
      throws IOException {
    Files.createDirectories(directory);
    return Settings.builder()
        .set(SettingKey.GRID_PORT, number == 0 ? firstPort : TestNodes.freePort())
        .set(SettingKey.GRID_COMMUNICATION_PORT, TestNodes.freePort())
        .set(SettingKey.GRID_PARTITIONS, 32)
        .set(SettingKey.GRID_HOST_ID, "host-" + number)
        .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("127.0.0.1:" + firstPort))
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.parse("512MiB"))
        .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.LANE_TCP_PORT, TestNodes.freePort())
        .set(SettingKey.METRICS_ENABLED, false);
  }

  /** The other process: a node, and a server that sends as many bytes as it is asked for. */
  private static void own(Path directory, int firstPort, int rawPort) throws Exception {
    try (ServerSocketChannel server = ServerSocketChannel.open();
        CacheNode node = CacheNode.launch(settings(directory, 0, firstPort).build())) {
      server.bind(new InetSocketAddress("127.0.0.1", rawPort));
      System.out.println("ready");
      try (SocketChannel channel = server.accept()) {
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        ByteBuffer request = ByteBuffer.allocateDirect(8);
        ByteBuffer bytes = ByteBuffer.allocateDirect(1 << 20);
        while (true) {
          request.clear();
          while (request.hasRemaining()) {
            if (channel.read(request) < 0) {
              return;
            }
          }
          for (long left = request.flip().getLong(); left > 0; ) {
            bytes.clear().limit((int) Math.min(left, bytes.capacity()));
            left -= channel.write(bytes);
          }
        }
      }
    }
  }

  private static void measure(
      RawClient client, SocketChannel raw, int sampleBytes, long sliceNanos) throws Exception {
    int count = (int) Math.max(BATCH, WORKING_SET / sampleBytes / BATCH * BATCH);
    count = Math.min(count, 16_384);
    int handle = client.open(NAME, 1L << 20);
    long[] samples = ownedByTheOther(client, handle, count);
    for (long index : samples) {
      LaneMessage reply = client.fill(handle, index, 0, 0, record(index, sampleBytes));
      while (reply instanceof LaneMessage.FillReply answer
          && answer.result() == LaneMessage.FillResult.BUSY) {
        reply = client.fill(handle, index, 0, 0, record(index, sampleBytes));
      }
    }
    RawClient.Mapped segment = client.segment((sampleBytes + 4096L) * BATCH / 64 * 64, 1);
    raw.setOption(StandardSocketOptions.TCP_NODELAY, true);
    ByteBuffer request = ByteBuffer.allocateDirect(8);
    ByteBuffer target = ByteBuffer.allocateDirect(sampleBytes * BATCH);
    double[] lane = new double[TURNS];
    double[] tcp = new double[TURNS];
    for (int turn = -6; turn < TURNS; turn++) {
      double rawSpeed =
          Boolean.getBoolean("lane.only") ? 1 : rawTurn(raw, request, target, sliceNanos);
      long[] before = costs(Long.getLong("owner.pid", 0));
      long startNanos = System.nanoTime();
      double laneSpeed = laneTurn(client, handle, segment, samples, sampleBytes, sliceNanos);
      double gb = laneSpeed * (System.nanoTime() - startNanos) / 1e9;
      long[] after = costs(Long.getLong("owner.pid", 0));
      double batches = gb * 1e9 / sampleBytes / BATCH;
      System.out.printf(
          Locale.ROOT,
          "  owner lane %.2f ns/B, %.1f waits/batch; reader peer %.2f ns/B, %.1f waits/batch; reader lane %.2f ns/B, %.1f waits/batch%n",
          (after[0] - before[0]) * 10e6 / gb / 1e9,
          (after[1] - before[1]) / batches,
          (after[2] - before[2]) * 10e6 / gb / 1e9,
          (after[3] - before[3]) / batches,
          (after[4] - before[4]) * 10e6 / gb / 1e9,
          (after[5] - before[5]) / batches);
      if (turn >= 0) {
        tcp[turn] = rawSpeed;
        lane[turn] = laneSpeed;
      }
      System.out.printf(Locale.ROOT, "raw %.2f GB/s, lane %.2f GB/s%n", rawSpeed, laneSpeed);
    }
    Arrays.sort(lane);
    Arrays.sort(tcp);
    System.out.printf(
        Locale.ROOT,
        "%d x %,d B: raw TCP %.2f GB/s, peer lane %.2f GB/s, ratio %.2f%n",
        BATCH,
        sampleBytes,
        tcp[TURNS / 2],
        lane[TURNS / 2],
        lane[TURNS / 2] / tcp[TURNS / 2]);
  }

  private static long[] costs(long owner) throws IOException {
    long[] costs = new long[6];
    for (long pid : new long[] {owner, ProcessHandle.current().pid()}) {
      try (var tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
        for (Path task : tasks.toList()) {
          String stat = Files.readString(task.resolve("stat"));
          String name = stat.substring(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
          String[] f = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
          long ticks = Long.parseLong(f[11]) + Long.parseLong(f[12]);
          long waits = Files.readAllLines(task.resolve("status")).stream().filter(l -> l.startsWith("voluntary")).mapToLong(l -> Long.parseLong(l.split("\\s+")[1])).sum();
          int k = pid == owner ? (name.startsWith("lane-") ? 0 : -1) : name.startsWith("peer-") ? 2 : name.startsWith("lane-") ? 4 : -1;
          if (k >= 0) { costs[k] += ticks; costs[k + 1] += waits; }
        }
      }
    }
    return costs;
  }

  private static double rawTurn(
      SocketChannel raw, ByteBuffer request, ByteBuffer target, long nanos) throws IOException {
    long start = System.nanoTime();
    long bytes = 0;
    while (System.nanoTime() - start < nanos) {
      raw.write(request.clear().putLong(target.capacity()).flip());
      target.clear();
      while (target.hasRemaining()) {
        raw.read(target);
      }
      bytes += target.capacity();
    }
    return (double) bytes / (System.nanoTime() - start);
  }

  private static double laneTurn(
      RawClient client,
      int handle,
      RawClient.Mapped segment,
      long[] samples,
      int sampleBytes,
      long nanos)
      throws IOException {
    long start = System.nanoTime();
    long bytes = 0;
    for (int at = 0; System.nanoTime() - start < nanos; at = (at + BATCH) % samples.length) {
      long[] indices = Arrays.copyOfRange(samples, at, at + BATCH);
      Batch batch =
          client
              .call(
                  new LaneMessage.Read(
                      handle, Shape.COLLATED, true, 0, segment.segment(), 0, 0, indices))
              .as(Batch.class);
      for (Status status : batch.statuses()) {
        if (status != Status.HIT) {
          throw new IllegalStateException("a sample is " + status);
        }
      }
      bytes += (long) sampleBytes * BATCH;
    }
    return (double) bytes / (System.nanoTime() - start);
  }

  private static long[] ownedByTheOther(RawClient client, int handle, int count)
      throws Exception {
    while (true) {
      OwnersMessage.Reply table =
          client.call(new OwnersMessage.Request(handle)).as(OwnersMessage.Reply.class);
      int[] primaries = table.primaries();
      long local =
          Arrays.stream(primaries).filter(p -> table.members().get(p).local()).count();
      if (local == primaries.length / 2) {
        return LongStream.range(0, 1L << 20)
            .filter(
                index ->
                    !table
                        .members()
                        .get(primaries[BoundedLoadAffinity.partition(index, primaries.length)])
                        .local())
            .limit(count)
            .toArray();
      }
      Thread.onSpinWait();
    }
  }

  private static byte[] record(long index, int bytes) {
    ByteBuffer data = ByteBuffer.allocate(bytes);
    for (int i = 0; i < bytes; i++) {
      data.put(i, RawClient.pixel(index, i));
    }
    return RecordCodec.create()
        .encode(SampleRecord.builder().tensor("x", DType.U8, new long[] {bytes}, data).build());
  }
}
