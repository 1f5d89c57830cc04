package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.node.recovery.Life;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.VersionKey.Request;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

class LayoutTest {
  private static final VersionKey KEY =
      VersionKey.first("t/d", 5, new SourceIdentity(100, "abc"), Map.of("validation", "none"))
          .changed(new Request("r1", 9, 1), Roaring64NavigableMap.bitmapOf(3, 4, 50), 64);

  @Test
  void decode_anyTruncation_isRefusedAsDamaged() {
    byte[] whole = Layout.encode(KEY);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> Layout.decodeVersionKey(cut))
          .as("cut to %d bytes", length)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("version key of " + length + " bytes is damaged");
    }
  }

  @Test
  void decode_newerLayout_isRefusedWithWhatToDo() {
    byte[] bytes = Layout.encode(KEY);
    bytes[1] = 2;

    assertThatThrownBy(() -> Layout.decodeVersionKey(bytes))
        .hasMessage("version key has layout 2, this node reads 1, upgrade this node")
        .isInstanceOfSatisfying(
            DatasetRefusedException.class,
            e -> assertThat(e.reason()).isEqualTo(Reason.NEWER_LAYOUT));
  }

  @Test
  void pipeline_withAndWithoutSchema_survivesTheRoundTrip() {
    Pipeline bare = new Pipeline("resize 32", null);
    Pipeline learned = bare.withSchema(new Pipeline.Schema(1, 2, 3, "image: u8, 3 dimensions"));

    assertThat(Layout.decodePipeline(Layout.encode(bare))).isEqualTo(bare);
    assertThat(Layout.decodePipeline(Layout.encode(learned))).isEqualTo(learned);
  }

  @Test
  void versionKey_withWhatIsBesideItRevised_survivesTheRoundTrip() {
    VersionKey key = KEY.withOnePipelineMore().revised();

    VersionKey read = Layout.decodeVersionKey(Layout.encode(key));

    assertThat(read.revision()).isEqualTo(2);
    assertThat(read.pipelines()).isEqualTo(1);
    assertThat(read.sampleVersion(4)).isEqualTo(key.sampleVersion(4)).isNotZero();
    assertThat(Layout.encode(read)).isEqualTo(Layout.encode(key));
  }

  @Test
  void pipelinesOfADataset_surviveTheRoundTrip_cutOnesAreRefused() {
    Map<String, byte[]> pipelines = Map.of("a/1", new byte[] {1, 2}, "a/2", new byte[0]);
    byte[] whole = Layout.encodePipelines(pipelines);

    assertThat(Layout.decodePipelines(whole)).containsExactlyInAnyOrderEntriesOf(pipelines);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> Layout.decodePipelines(cut))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("pipelines of " + length + " bytes are damaged");
    }
  }

  @Test
  void origin_survivesTheRoundTrip_cutOnesAreRefused() {
    Origin origin =
        new Origin(
                false,
                new Life(-1, 2, 3),
                Set.of(4L),
                9,
                new UUID(5, 6),
                Set.of("host-1", "host-2"))
            .replacing(Set.of(7L, -1L));
    byte[] whole = origin.encode();

    assertThat(Origin.decode(whole)).isEqualTo(origin);
    assertThat(Origin.decode(origin.begin().encode()).begun()).isTrue();
    // A lineage does not replace itself.
    assertThat(origin.ancestors()).containsExactlyInAnyOrder(4L, 7L);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> Origin.decode(cut)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void requests_manyPublishes_keepOnlyTheLast() {
    VersionKey key = KEY;
    for (int i = 2; i <= 40; i++) {
      key = key.published(new Request("r" + i, i, i), key.source());
    }
    assertThat(key.requests()).hasSize(VersionKey.MAX_REQUESTS);
    assertThat(key.generationOf("r40", 40)).isEqualTo(40);
    assertThat(key.generationOf("r1", 9)).isNull();
  }
}
