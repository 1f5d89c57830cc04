package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Publishes, fills and drops while partitions move to a node that has just joined. */
class MovedSamplesTest {
  private static final String NAME = "moving";
  private static final int SAMPLES = 1_000;
  private static final int SIDE = 20;
  private static final Duration SOON = Duration.ofSeconds(60);

  @Test
  void fill_throughTheOwnerBefore_isKeptByTheOneAfterUnlessTheSampleChanged(@TempDir Path directory)
      throws Exception {
    try (NodeGrid grid = NodeGrid.launch(directory, 2, settings -> settings);
        RawClient trainer = RawClient.greeted(grid.node(0).socket())) {
      int handle = trainer.open(NAME, SAMPLES);
      long[] owned = grid.ownedBy(0, 200);
      Batch cold = trainer.read(handle, Shape.RECORDS, true, 0, owned).as(Batch.class);
      assertThat(cold.statuses()).containsOnly(Status.LEASED_TO_YOU);

      grid.add(directory);
      grid.awaitWhole();
      long[] stayed = grid.ownedBy(0, SAMPLES);
      long[] moved = LongStream.of(owned).filter(i -> Arrays.binarySearch(stayed, i) < 0).toArray();
      assertThat(moved).hasSizeGreaterThan(20);
      long[] changed = Arrays.copyOf(moved, moved.length / 2);
      long[] unchanged = Arrays.copyOfRange(moved, changed.length, moved.length);
      grid.node(1).versions().publishChanged("default", NAME, "request-1", changed);

      for (int i = 0; i < owned.length; i++) {
        FillReply reply =
            fill(trainer, handle, owned[i], cold.leases()[i], cold.leaseVersions()[i]);
        assertThat(reply.result())
            .as("fill of sample %d: %s", owned[i], reply.reason())
            .isEqualTo(
                Arrays.binarySearch(changed, owned[i]) < 0 ? FillResult.TAKEN : FillResult.DROPPED);
      }

      for (int n = 0; n < 3; n++) {
        awaitHits(grid, n, unchanged);
        assertThat(statuses(grid, n, changed)).containsOnly(Status.MISS);
      }
    }
  }

  @Test
  void changedSamples_droppedWhilePartitionsMove_areNeverSeenAgain(@TempDir Path directory)
      throws Exception {
    try (NodeGrid grid = NodeGrid.launch(directory, 2, settings -> settings)) {
      long[] all = LongStream.range(0, SAMPLES).toArray();
      long[] changed = LongStream.range(0, SAMPLES).filter(i -> i % 2 == 0).toArray();
      long[] unchanged = LongStream.range(0, SAMPLES).filter(i -> i % 2 == 1).toArray();
      try (RawClient trainer = RawClient.greeted(grid.node(0).socket())) {
        int handle = trainer.open(NAME, SAMPLES);
        for (long index : all) {
          trainer.fill(handle, index, 0, 0, RawClient.record(index, SIDE));
        }
      }
      awaitHits(grid, 1, all);

      grid.node(0).versions().publishChanged("default", NAME, "request-1", changed);
      grid.add(directory);

      for (int round = 0; round < 20; round++) {
        for (int n = 0; n < 3; n++) {
          assertThat(statuses(grid, n, changed)).containsOnly(Status.MISS);
          assertThat(statuses(grid, n, unchanged)).containsOnly(Status.HIT);
        }
      }
      grid.awaitWhole();
      for (int n = 0; n < 3; n++) {
        assertThat(statuses(grid, n, changed)).containsOnly(Status.MISS);
        assertThat(statuses(grid, n, unchanged)).containsOnly(Status.HIT);
      }
    }
  }

  /** As a trainer does that is told to come again later. */
  private static FillReply fill(
      RawClient trainer, int handle, long index, long lease, long version) {
    return await()
        .atMost(SOON)
        .pollDelay(Duration.ZERO)
        .until(
            () ->
                (FillReply)
                    trainer.fill(handle, index, lease, version, RawClient.record(index, SIDE)),
            reply -> reply.result() != FillResult.BUSY);
  }

  private static Status[] statuses(NodeGrid grid, int node, long[] indices) throws IOException {
    try (RawClient reader = RawClient.greeted(grid.node(node).socket())) {
      return reader
          .read(reader.open(NAME, SAMPLES), Shape.RECORDS, false, 0, indices)
          .as(Batch.class)
          .statuses();
    }
  }

  private static void awaitHits(NodeGrid grid, int node, long[] indices) {
    await()
        .atMost(SOON)
        .untilAsserted(() -> assertThat(statuses(grid, node, indices)).containsOnly(Status.HIT));
  }
}
