package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trainers that want the same cold samples at once load each of them once between them. */
class SingleFlightIT {
  private static final int SAMPLES = 1_000;
  private static final int THREADS = 8;
  private static final int PROCESSES = 2;
  private static final int BATCH = 50;
  private static final String READY = "ready";

  @Test
  void coldSamples_8ThreadsIn2Processes_areLoadedOnce(@TempDir Path directory) throws Exception {
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build())) {
      List<Process> trainers = new ArrayList<>();
      List<BufferedReader> outputs = new ArrayList<>();
      try {
        for (int i = 0; i < PROCESSES; i++) {
          Process trainer =
              new ProcessBuilder(
                      Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                      "-cp",
                      System.getProperty("java.class.path"),
                      Trainer.class.getName(),
                      node.socket().toString())
                  .redirectError(ProcessBuilder.Redirect.INHERIT)
                  .start();
          trainers.add(trainer);
          outputs.add(
              new BufferedReader(
                  new InputStreamReader(trainer.getInputStream(), StandardCharsets.UTF_8)));
        }
        for (BufferedReader output : outputs) {
          assertThat(output.readLine()).isEqualTo(READY);
        }
        for (Process trainer : trainers) {
          try (OutputStream start = trainer.getOutputStream()) {
            start.write('\n');
          }
        }
        long loads = 0;
        for (int i = 0; i < PROCESSES; i++) {
          loads += Long.parseLong(outputs.get(i).readLine());
          assertThat(trainers.get(i).waitFor()).isZero();
        }
        assertThat(loads).isEqualTo(SAMPLES);
      } finally {
        trainers.forEach(Process::destroyForcibly);
      }
    }
  }

  /** One process: 8 threads read all samples, each in an order of its own; prints its loads. */
  static final class Trainer {
    private Trainer() {}

    public static void main(String[] arguments) throws Exception {
      Pictures pictures = new Pictures(3_000);
      LongAdder loads = new LongAdder();
      try (TrainingCache cache =
              TrainingCache.connect(
                  TrainingCache.Config.builder().address("unix:" + arguments[0]).build());
          CachedSamples samples = cache.open(Pictures.spec("shared", SAMPLES))) {
        System.out.println(READY);
        if (System.in.read() < 0) {
          throw new IllegalStateException("the test is gone");
        }
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<?>> readers = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
          long seed = t + ProcessHandle.current().pid();
          readers.add(threads.submit(() -> readAll(samples, pictures, loads, new Random(seed))));
        }
        for (Future<?> reader : readers) {
          reader.get();
        }
        threads.shutdown();
      }
      System.out.println(loads.sum());
    }

    private static void readAll(
        CachedSamples samples, Pictures pictures, LongAdder loads, Random random) {
      long[] order = LongStream.range(0, SAMPLES).toArray();
      for (int i = SAMPLES - 1; i > 0; i--) {
        int other = random.nextInt(i + 1);
        long swap = order[i];
        order[i] = order[other];
        order[other] = swap;
      }
      for (int start = 0; start < SAMPLES; start += BATCH) {
        long[] indices = new long[BATCH];
        System.arraycopy(order, start, indices, 0, BATCH);
        try (SampleBatch batch =
            samples.read(
                indices,
                ReadShape.COLLATED,
                index -> {
                  loads.increment();
                  return pictures.load(index);
                })) {
          pictures.check(batch);
        }
      }
    }
  }
}
