package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.node.versions.VersionKey.Request;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/** The rules of versions against a model that keeps one number a sample. */
class VersionKeyPropertyTest {
  private static final int LENGTH = 40;
  // Beyond 2^32, where the indices' upper halves differ.
  private static final long STRIDE = 1L << 30;

  /** A publish: of the samples named, or of everything when there are none. */
  @Provide
  Arbitrary<List<Set<Integer>>> publishes() {
    return Arbitraries.integers()
        .between(0, LENGTH - 1)
        .set()
        .ofMaxSize(12)
        .list()
        .ofMinSize(1)
        .ofMaxSize(30);
  }

  @Property(tries = 300)
  void sampleVersion_afterPublishes_isNeverOlderThanTheLastChangeAndNeverGoesBack(
      @ForAll("publishes") List<Set<Integer>> publishes,
      @ForAll @IntRange(min = 1, max = 5) int maxSets) {
    VersionKey key = first();
    long[] lastChange = new long[LENGTH];
    List<VersionKey> history = new ArrayList<>();
    List<long[]> historyOfVersions = new ArrayList<>();
    for (Set<Integer> changed : publishes) {
      history.add(key);
      historyOfVersions.add(versions(key));
      key = publish(key, changed, maxSets);
      note(lastChange, changed, key.generation());

      long[] now = versions(key);
      long[] before = historyOfVersions.get(historyOfVersions.size() - 1);
      for (int i = 0; i < LENGTH; i++) {
        assertThat(now[i]).isBetween(lastChange[i], key.generation());
        assertThat(now[i]).isGreaterThanOrEqualTo(before[i]);
      }
      assertThat(key.changed().newestFirst()).hasSizeLessThanOrEqualTo(maxSets);
    }
    for (int i = 0; i < history.size(); i++) {
      assertThat(versions(history.get(i))).isEqualTo(historyOfVersions.get(i));
    }
  }

  @Property(tries = 300)
  void sampleVersion_withoutMerging_isExactlyTheLastChange(
      @ForAll("publishes") List<Set<Integer>> publishes) {
    VersionKey key = first();
    long[] lastChange = new long[LENGTH];
    for (Set<Integer> changed : publishes) {
      key = publish(key, changed, 64);
      note(lastChange, changed, key.generation());
    }
    assertThat(versions(key)).isEqualTo(lastChange);
  }

  @Property(tries = 300)
  void collapsed_anyKey_raisesEverySampleToTheGeneration(
      @ForAll("publishes") List<Set<Integer>> publishes) {
    VersionKey key = first();
    for (Set<Integer> changed : publishes) {
      key = publish(key, changed, 64);
    }
    assertThat(versions(key.collapsed())).containsOnly(key.generation());
  }

  @Property(tries = 300)
  void layout_anyKey_survivesTheRoundTrip(
      @ForAll("publishes") List<Set<Integer>> publishes, @ForAll String digest) {
    // Unpaired surrogates have no UTF-8 form.
    String text = new String(digest.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    VersionKey key =
        VersionKey.first(
            "t/näme",
            -7,
            new SourceIdentity(LENGTH * STRIDE, text.substring(0, Math.min(100, text.length()))),
            Map.of("validation", "checksum"));
    for (Set<Integer> changed : publishes) {
      key = publish(key, changed, 64);
    }
    VersionKey read = Layout.decodeVersionKey(Layout.encode(key));

    assertThat(versions(read)).isEqualTo(versions(key));
    assertThat(read).usingRecursiveComparison().ignoringFields("changed").isEqualTo(key);
    assertThat(Layout.encode(read)).isEqualTo(Layout.encode(key));
  }

  private static VersionKey first() {
    return VersionKey.first("t/d", 1, new SourceIdentity(LENGTH * STRIDE, ""), Map.of());
  }

  private static VersionKey publish(VersionKey key, Set<Integer> changed, int maxSets) {
    Request request = new Request("r" + key.generation(), key.generation(), key.generation() + 1);
    if (changed.isEmpty()) {
      return key.published(request, key.source());
    }
    Roaring64NavigableMap indices = new Roaring64NavigableMap();
    changed.forEach(i -> indices.addLong(i * STRIDE));
    return key.changed(request, indices, maxSets);
  }

  private static void note(long[] lastChange, Set<Integer> changed, long generation) {
    if (changed.isEmpty()) {
      Arrays.fill(lastChange, generation);
    }
    changed.forEach(i -> lastChange[i] = generation);
  }

  private static long[] versions(VersionKey key) {
    long[] versions = new long[LENGTH];
    Arrays.setAll(versions, i -> SampleVersion.generation(key.sampleVersion(i * STRIDE)));
    return versions;
  }
}
