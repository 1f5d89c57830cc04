package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Jobs on several hosts that want the same cold samples at once load each of them once. */
@ExtendWith(LocalGridLogs.class)
class GridSingleFlightIT {
  private static final int NODES = 3;
  private static final int JOBS = 4;
  private static final int WORKERS = 4;
  private static final int SAMPLES = 2_400;
  private static final int BATCH = 20;
  private static final long LOAD_NANOS = 1_000_000;
  private static final List<String> SMALL =
      List.of("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

  private final Path directory;

  GridSingleFlightIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void coldSamples_4JobsOf4Workers_areLoadedOnce() throws Exception {
    try (LocalGrid grid = grid().start()) {
      List<ChildJvm> workers = start(grid);
      try {
        for (ChildJvm worker : workers) {
          assertThat(worker.hear()).isEqualTo("done");
        }
        assertThat(loads()).hasSize(SAMPLES).doesNotHaveDuplicates();
      } finally {
        workers.forEach(ChildJvm::close);
      }
    }
  }

  @Test
  void coldSamples_threeLoadersKilled_atMostTheirBatchesAreLoadedAgain() throws Exception {
    try (LocalGrid grid = grid().start()) {
      List<ChildJvm> workers = start(grid);
      try {
        for (int victim = 0; victim < 3; victim++) {
          Path loaded = loadsOf(0, victim);
          grid.awaitThat(
              "a worker that is to be killed loads",
              Duration.ofSeconds(60),
              () -> Files.size(loaded) > BATCH * Long.BYTES ? "" : "it has not loaded much");
          workers.get(victim).kill();
        }
        for (ChildJvm worker : workers.subList(3, workers.size())) {
          assertThat(worker.hear()).isEqualTo("done");
        }
        List<Long> loads = loads();
        assertThat(loads.stream().distinct()).hasSize(SAMPLES);
        assertThat(loads).hasSizeLessThanOrEqualTo(SAMPLES + 3 * BATCH);
      } finally {
        workers.forEach(ChildJvm::close);
      }
    }
  }

  // Sixteen trainers and three nodes may wait long for a core: that is no answer missed here.
  private static LocalGrid.Builder grid() {
    return LocalGrid.of(NODES)
        .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofSeconds(20))
        .set(SettingKey.FILL_LEASE_TIMEOUT, Duration.ofSeconds(60));
  }

  /** Starts all workers, each at one of the nodes, and lets them go when all are there. */
  private List<ChildJvm> start(LocalGrid grid) throws IOException, InterruptedException {
    List<ChildJvm> workers = new ArrayList<>();
    for (int job = 0; job < JOBS; job++) {
      for (int rank = 0; rank < WORKERS; rank++) {
        Path loads = Files.createFile(loadsOf(job, rank));
        Path socket = Path.of(grid.node(workers.size() % NODES).endpoints().socket());
        workers.add(new ChildJvm(SMALL, Worker.class, socket, job, rank, loads));
      }
    }
    for (ChildJvm worker : workers) {
      assertThat(worker.hear()).isEqualTo("ready");
    }
    for (ChildJvm worker : workers) {
      worker.tell("go");
    }
    return workers;
  }

  private Path loadsOf(int job, int rank) {
    return directory.resolve("loads-%d-%d".formatted(job, rank));
  }

  private List<Long> loads() throws IOException {
    List<Long> loads = new ArrayList<>();
    for (int job = 0; job < JOBS; job++) {
      for (int rank = 0; rank < WORKERS; rank++) {
        try (InputStream file = Files.newInputStream(loadsOf(job, rank));
            DataInputStream in = new DataInputStream(file)) {
          while (in.available() > 0) {
            loads.add(in.readLong());
          }
        }
      }
    }
    return loads;
  }

  /** One worker of one job: reads its part of the job's order; notes what it loads. */
  static final class Worker {
    private Worker() {}

    public static void main(String[] arguments) throws Exception {
      Pictures pictures = new Pictures(3_000);
      int job = Integer.parseInt(arguments[1]);
      int rank = Integer.parseInt(arguments[2]);
      try (FileChannel loads = FileChannel.open(Path.of(arguments[3]), StandardOpenOption.APPEND);
          TrainingCache cache =
              TrainingCache.connect(
                  TrainingCache.Config.builder().address("unix:" + arguments[0]).build());
          CachedSamples samples = cache.open(Pictures.spec("shared", SAMPLES))) {
        ChildJvm.say("ready");
        if (System.in.read() < 0) {
          throw new IllegalStateException("the test is gone");
        }
        long[] order = new Random(job).longs(0, SAMPLES).distinct().limit(SAMPLES).toArray();
        for (int start = rank * BATCH; start < SAMPLES; start += WORKERS * BATCH) {
          long[] indices = new long[BATCH];
          System.arraycopy(order, start, indices, 0, BATCH);
          try (SampleBatch batch =
              samples.read(
                  indices,
                  ReadShape.COLLATED,
                  index -> {
                    loads.write(ByteBuffer.allocate(Long.BYTES).putLong(0, index));
                    LockSupport.parkNanos(LOAD_NANOS);
                    return pictures.load(index);
                  })) {
            pictures.check(batch);
          }
        }
      }
      ChildJvm.say("done");
    }
  }
}
