package io.trainingday;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.RankGroup;
import io.trainingday.client.TrainingCache;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's code is code that compiles and runs. */
class ReadmeTest {
  private static final Pattern MARKED = Pattern.compile("(?s)// snippet \\w+\n(.*?)\n *// end\n");
  private static final Pattern FENCED = Pattern.compile("(?s)```java\n(.*?)```");

  @Test
  void javaBlocks_areTheCompiledSnippets() throws Exception {
    Path snippets = Path.of("src", "test", "java", "io", "trainingday", "ReadmeSnippets.java");

    assertThat(blocks(FENCED, Path.of("..", "README.md")))
        .isNotEmpty()
        .isEqualTo(blocks(MARKED, snippets));
  }

  @Test
  void readSnippet_runs(@TempDir Path directory) {
    List<Integer> bytes = new ArrayList<>();
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build())) {
      ReadmeSnippets.read(
          config(node),
          index ->
              SampleRecord.builder()
                  .tensor("image", DType.U8, new long[] {3, 2, 2}, ByteBuffer.allocate(12))
                  .build(),
          images -> bytes.add(images.remaining()));
    }
    assertThat(bytes).containsExactly(36);
  }

  @Test
  void djlSnippet_runs(@TempDir Path directory) throws Exception {
    List<Integer> sizes = new ArrayList<>();
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        NDManager manager = NDManager.newBaseManager()) {
      ArrayDataset raw =
          new ArrayDataset.Builder()
              .setData(manager.zeros(new Shape(10, 3), DataType.FLOAT32))
              .optLabels(manager.zeros(new Shape(10), DataType.FLOAT32))
              .setSampling(5, false)
              .build();
      ReadmeSnippets.djl(config(node), raw, manager, batch -> sizes.add(batch.getSize()));
    }
    assertThat(sizes).containsExactly(5, 5);
  }

  @Test
  void planSnippet_runs(@TempDir Path directory) {
    Set<Long> read = ConcurrentHashMap.newKeySet();
    DatasetSpec spec = DatasetSpec.builder("birds").pipeline("p").sourceLength(60_000).build();
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache = TrainingCache.connect(config(node));
        CachedSamples birds = cache.open(spec)) {
      CompletableFuture<?>[] ranks = new CompletableFuture<?>[2];
      for (int rank = 0; rank < ranks.length; rank++) {
        RankGroup group = new RankGroup("birds", "0", rank, ranks.length, Duration.ofMinutes(1));
        ranks[rank] =
            CompletableFuture.runAsync(
                () ->
                    ReadmeSnippets.plan(
                        birds,
                        group,
                        1,
                        0,
                        index ->
                            SampleRecord.builder()
                                .tensor(
                                    "image",
                                    DType.I64,
                                    new long[0],
                                    ByteBuffer.allocate(8)
                                        .order(ByteOrder.LITTLE_ENDIAN)
                                        .putLong(0, index))
                                .build(),
                        images -> {
                          LongBuffer indices = images.order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
                          while (indices.hasRemaining()) {
                            assertThat(read.add(indices.get())).isTrue();
                          }
                        }));
      }
      CompletableFuture.allOf(ranks).join();
    }
    assertThat(read).hasSize(60_000 / 512 * 512);
  }

  private static TrainingCache.Config config(CacheNode node) {
    return TrainingCache.Config.builder().address("unix:" + node.socket()).build();
  }

  private static List<String> blocks(Pattern pattern, Path file) throws Exception {
    List<String> blocks = new ArrayList<>();
    Matcher matcher = pattern.matcher(Files.readString(file));
    while (matcher.find()) {
      blocks.add(matcher.group(1).stripIndent().strip());
    }
    return blocks;
  }
}
