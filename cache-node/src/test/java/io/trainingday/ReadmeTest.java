package io.trainingday;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import io.trainingday.client.TrainingCache;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
