package io.trainingday.demo;

import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import io.trainingday.client.CacheStats;
import io.trainingday.client.TrainingCache;
import io.trainingday.djl.CachedDataset;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where the training samples are read from: a cache, or their origin alone. */
interface SampleSource extends AutoCloseable {
  /** The samples as the model gets them. */
  RandomAccessDataset data();

  /** What the cache answered so far; null without a cache. */
  @Nullable CacheReads reads();

  @Override
  void close();

  /** Every sample is loaded whenever it is read. */
  static SampleSource origin(DemoInput input) {
    return new SampleSource() {
      @Override
      public RandomAccessDataset data() {
        return input.train();
      }

      @Override
      public @Nullable CacheReads reads() {
        return null;
      }

      @Override
      public void close() {}
    };
  }

  /** Through a node that is started in this process and ends with the source. */
  static SampleSource embedded(DemoInput input) throws IOException, TranslateException {
    EmbeddedNode node = EmbeddedNode.launch();
    try {
      return new Cached(input, node.socket(), node);
    } catch (IOException | TranslateException | RuntimeException e) {
      node.close();
      throw e;
    }
  }

  /**
   * Through a node that runs already.
   *
   * @throws IllegalArgumentException in words for the user, if there is none
   */
  static SampleSource attached(DemoInput input, Path socket)
      throws IOException, TranslateException {
    return new Cached(input, socket, null);
  }

  /** Through a node. */
  final class Cached implements SampleSource {
    private final @Nullable EmbeddedNode node;
    private final TrainingCache cache;
    private final CachedDataset data;

    private Cached(DemoInput input, Path socket, @Nullable EmbeddedNode node)
        throws IOException, TranslateException {
      this.node = node;
      cache =
          TrainingCache.connect(
              TrainingCache.Config.builder()
                  .address("unix:" + socket.toAbsolutePath())
                  .loaderThreads(LoaderPool.THREADS)
                  .build());
      try {
        if (!cache.isAttached()) {
          throw new IllegalArgumentException(
              "no cache node answers at --socket=%s; start one with `training-day serve`, or leave"
                      .formatted(socket)
                  + " the option out");
        }
        data =
            CachedDataset.builder()
                .setDataset(input.train())
                .setName(input.name())
                .setCache(cache)
                .optPipelineTag(input.pipelineTag())
                .build();
      } catch (IOException | TranslateException | RuntimeException e) {
        cache.close();
        throw e;
      }
    }

    @Override
    public RandomAccessDataset data() {
      return data;
    }

    @Override
    public CacheReads reads() {
      CacheStats stats = data.stats();
      return new CacheReads(stats.hits(), stats.misses());
    }

    @Override
    public void close() {
      data.close();
      cache.close();
      if (node != null) {
        node.close();
      }
    }
  }
}
