package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node that is stopped while trainers read from it never takes its JVM down. */
class NodeStopIT {
  @Test
  void stop_underFullLoad_noCrash(@TempDir Path directory) throws Exception {
    assertSurvives(24, directory);
  }

  @Tag("slow")
  @Test
  void stop_underFullLoad_100times_noCrash(@TempDir Path directory) throws Exception {
    assertSurvives(100, directory);
  }

  /** In a JVM of its own: a crash must not take the other tests with it. */
  private static void assertSurvives(int times, Path directory) throws Exception {
    Path output = directory.resolve("output");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(argument -> argument.startsWith("--add-opens") || argument.startsWith("-DIGN"))
            .toList());
    command.addAll(
        List.of(
            "-Xmx512m",
            "-XX:ErrorFile=" + directory.resolve("hs_err.log"),
            "-cp",
            System.getProperty("java.class.path"),
            Stopping.class.getName(),
            directory.toString(),
            Integer.toString(times)));
    Process child =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(child.waitFor(10, TimeUnit.MINUTES)).isTrue();
      assertThat(child.exitValue()).as(() -> tail(output)).isZero();
      assertThat(Files.readString(output)).contains("stopped " + times + " times");
    } finally {
      child.destroyForcibly();
    }
  }

  private static String tail(Path output) {
    try {
      String text = Files.readString(output);
      return text.substring(Math.max(0, text.length() - 4_000));
    } catch (IOException e) {
      return e.toString();
    }
  }

  /** Starts and stops a node again and again while three trainers read as fast as they can. */
  static final class Stopping {
    private static final int SAMPLES = 200;

    private Stopping() {}

    public static void main(String[] arguments) throws Exception {
      Path directory = Path.of(arguments[0]);
      int times = Integer.parseInt(arguments[1]);
      Pictures pictures = new Pictures(60_000);
      for (int i = 0; i < times; i++) {
        Settings settings =
            TestNodes.settings(directory)
                .set(
                    SettingKey.LANE_READER,
                    i % 4 == 3 ? Settings.Reader.PUBLIC : Settings.Reader.PAGE)
                .build();
        stopOnce(settings, pictures);
      }
      System.out.println("stopped " + times + " times");
    }

    private static void stopOnce(Settings settings, Pictures pictures) throws Exception {
      AtomicBoolean end = new AtomicBoolean();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      CountDownLatch warm = new CountDownLatch(ReadShape.values().length * 3);
      List<Thread> trainers = new ArrayList<>();
      CacheNode node = CacheNode.launch(settings);
      for (ReadShape shape : ReadShape.values()) {
        Thread trainer =
            new Thread(() -> train(node.socket(), pictures, shape, warm, end, failure));
        trainer.start();
        trainers.add(trainer);
      }
      warm.await();
      // Somewhere in the middle of a batch, each time elsewhere.
      long until = System.nanoTime() + ThreadLocalRandom.current().nextLong(5_000_000);
      while (System.nanoTime() < until) {
        Thread.onSpinWait();
      }
      node.close();
      end.set(true);
      for (Thread trainer : trainers) {
        trainer.join();
      }
      if (failure.get() != null) {
        throw new IllegalStateException("a trainer failed", failure.get());
      }
    }

    private static void train(
        Path socket,
        Pictures pictures,
        ReadShape shape,
        CountDownLatch warm,
        AtomicBoolean end,
        AtomicReference<Throwable> failure) {
      try (TrainingCache cache =
              TrainingCache.connect(
                  TrainingCache.Config.builder().address("unix:" + socket).build());
          CachedSamples samples = cache.open(Pictures.spec("stopping", SAMPLES))) {
        while (!end.get()) {
          for (int start = 0; start < SAMPLES && !end.get(); start += 50) {
            long[] indices = LongStream.range(start, start + 50L).toArray();
            try (SampleBatch batch = samples.read(indices, shape, pictures.loader())) {
              if (shape == ReadShape.COLLATED) {
                pictures.check(batch);
              }
            }
          }
          warm.countDown();
        }
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
        for (int i = 0; i < 3; i++) {
          warm.countDown();
        }
      }
    }
  }
}
