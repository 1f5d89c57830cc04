package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.CacheNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An owner stops while others read from it, and a copy of all it has is elsewhere. */
class LeavingOwnerTest {
  private static final String NAME = "leaving";
  private static final int SAMPLES = 300;
  private static final int SIDE = 100;
  private static final int BATCH = 60;
  private static final int READERS = 6;
  private static final int READS = 200;

  private final AtomicBoolean over = new AtomicBoolean();
  private final AtomicLong reads = new AtomicLong();

  /** Of most shapes heads are read first, then records: it may go in between. */
  @Test
  void stop_underReads_nothingIsMissed(@TempDir Path directory) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(READERS);
    try (NodeGrid grid =
        NodeGrid.launch(
            directory, 3, settings -> settings.setDataset(NAME, SettingKey.DATASET_BACKUPS, 1))) {
      fill(grid);
      List<Shape> shapes = List.of(Shape.values());
      List<Future<Long>> missed = new ArrayList<>();
      for (int reader = 0; reader < READERS; reader++) {
        Shape shape = shapes.get(reader % shapes.size());
        int seed = reader;
        missed.add(threads.submit(() -> read(grid.node(0), shape, seed)));
      }
      awaitReads();
      grid.stop(2);
      grid.awaitWhole();
      awaitReads();

      over.set(true);
      for (Future<Long> one : missed) {
        assertThat(one.get()).isZero();
      }
    } finally {
      over.set(true);
      threads.shutdown();
      assertThat(threads.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
    }
  }

  /** Again and again what is missing: what comes before nodes know each other's room is refused. */
  private static void fill(NodeGrid grid) throws IOException {
    long[] all = LongStream.range(0, SAMPLES).toArray();
    try (RawClient trainer = RawClient.greeted(grid.node(0).socket())) {
      int handle = trainer.open(NAME, SAMPLES);
      await()
          .until(
              () -> {
                Status[] held = statuses(trainer, handle, all);
                for (int i = 0; i < held.length; i++) {
                  if (held[i] != Status.HIT) {
                    trainer.fill(handle, all[i], 0, 0, RawClient.record(all[i], SIDE));
                  }
                }
                return Arrays.stream(held).allMatch(one -> one == Status.HIT);
              });
    }
    await()
        .until(() -> grid.nodes().stream().allMatch(n -> n.stats().fills().inFlightBytes() == 0));
  }

  private static Status[] statuses(RawClient client, int handle, long[] indices)
      throws IOException {
    return client
        .call(new LaneMessage.Read(handle, Shape.RAGGED, false, 0, -1, -1, 0, indices))
        .as(Batch.class)
        .statuses();
  }

  private void awaitReads() {
    long until = reads.get() + READS;
    await().until(() -> reads.get() >= until);
  }

  /** Returns how many samples were missed. */
  private long read(CacheNode node, Shape shape, int seed) throws IOException {
    Random random = new Random(seed);
    long missed = 0;
    try (RawClient client = RawClient.greeted(node.socket())) {
      int handle = client.open(NAME, SAMPLES);
      while (!over.get()) {
        long[] indices = random.longs(BATCH, 0, SAMPLES).toArray();
        RawClient.Reply reply =
            client.call(new LaneMessage.Read(handle, shape, false, 0, -1, -1, 0, indices));
        Batch batch = reply.as(Batch.class);
        long before = missed;
        for (Status status : batch.statuses()) {
          missed += status == Status.HIT ? 0 : 1;
        }
        if (missed == before) {
          BatchCheck.assertHolds(batch, reply.payload(), SIDE, indices);
        }
        reads.incrementAndGet();
      }
    }
    return missed;
  }
}
