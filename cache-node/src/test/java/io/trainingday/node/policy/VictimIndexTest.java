package io.trainingday.node.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainingday.config.Settings.Policy;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.policy.VictimIndex.Victim;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class VictimIndexTest {
  private static final long DATASET = 5;

  private static SampleKey key(long index) {
    return new SampleKey(DATASET, 1, 2, index % 3, (int) (index % 2), index / 6);
  }

  private static List<SampleKey> order(VictimIndex index) {
    List<SampleKey> keys = new ArrayList<>();
    for (Victim victim = index.takeVictim(); victim != null; victim = index.takeVictim()) {
      keys.add(victim.key());
    }
    return keys;
  }

  /** Against a linked map, which is an LRU as the JDK makes it. */
  @Property(tries = 200)
  void lru_doesAsALinkedMap(
      @ForAll @Size(max = 400) List<@IntRange(max = 999) Integer> operations) {
    VictimIndex index = new VictimIndex(DATASET, Policy.LRU, 40);
    Map<SampleKey, Integer> model = new LinkedHashMap<>(16, 0.75f, true);
    for (int operation : operations) {
      SampleKey key = key(operation / 10);
      int bytes = operation + 1;
      switch (operation % 10) {
        case 0, 1, 2, 3 -> {
          boolean taken = index.stored(key, bytes);
          assertThat(taken).isEqualTo(model.containsKey(key) || model.size() < 40);
          if (model.containsKey(key)) {
            model.get(key);
          } else if (taken) {
            model.put(key, bytes);
          }
        }
        case 4, 5, 6 -> assertThat(index.read(key)).isEqualTo(model.get(key) != null);
        case 7, 8 -> assertThat(index.dropped(key)).isEqualTo(model.remove(key) != null);
        default -> {
          Victim victim = index.takeVictim();
          if (model.isEmpty()) {
            assertThat(victim).isNull();
          } else {
            Map.Entry<SampleKey, Integer> eldest = model.entrySet().iterator().next();
            assertThat(victim).isEqualTo(new Victim(eldest.getKey(), eldest.getValue()));
            model.remove(eldest.getKey());
          }
        }
      }
      assertThat(index.size()).isEqualTo(model.size());
      assertThat(index.bytes())
          .isEqualTo(model.values().stream().mapToLong(Integer::longValue).sum());
    }
    assertThat(order(index)).containsExactlyElementsOf(model.keySet());
  }

  @ParameterizedTest
  @EnumSource(names = {"LRU", "LFU", "RANDOM"})
  void everyOrder_manyEntriesComeAndGo_eachIsFoundUntilItGoesOnce(Policy policy) {
    VictimIndex index = new VictimIndex(DATASET, policy, 1 << 20);
    for (long i = 0; i < 50_000; i++) {
      assertThat(index.stored(key(i), 1)).isTrue();
    }
    for (long i = 0; i < 50_000; i += 2) {
      assertThat(index.dropped(key(i))).isTrue();
      assertThat(index.read(key(i))).isFalse();
    }
    for (long i = 50_000; i < 60_000; i++) {
      assertThat(index.stored(key(i), 1)).isTrue();
    }
    assertThat(index.heapBytes()).isLessThan(50L * 50_000 * 3 / 2);

    List<SampleKey> gone = order(index);

    assertThat(gone).hasSize(35_000).doesNotHaveDuplicates();
    assertThat(index.size()).isZero();
    assertThat(index.bytes()).isZero();
  }

  @Test
  void lfu_leastRead_goesFirst_andAgesOut() {
    VictimIndex index = new VictimIndex(DATASET, Policy.LFU, 100);
    for (long i = 0; i < 10; i++) {
      assertThat(index.stored(key(i), 1)).isTrue();
    }
    for (int reads = 0; reads < 8; reads++) {
      assertThat(index.read(key(0))).isTrue();
    }
    assertThat(index.read(key(1))).isTrue();
    for (long i = 2; i < 10; i++) {
      assertThat(index.takeVictim()).extracting(Victim::key).isEqualTo(key(i));
    }
    // Sample 0 was popular once, sample 1 is now.
    for (int reads = 0; reads < 200; reads++) {
      assertThat(index.read(key(1))).isTrue();
    }
    for (int round = 0; round < 4; round++) {
      assertThat(index.stored(key(20 + round), 1)).isTrue();
      for (int reads = 0; reads < 5; reads++) {
        assertThat(index.read(key(20 + round))).isTrue();
      }
    }
    assertThat(index.takeVictim()).extracting(Victim::key).isEqualTo(key(0));
  }

  @Test
  void random_eachAsLikely() {
    int[] first = new int[10];
    SplittableRandom random = new SplittableRandom(1);
    for (int round = 0; round < 5_000; round++) {
      VictimIndex index = new VictimIndex(random.nextLong(), Policy.RANDOM, 10);
      for (long i = 0; i < 10; i++) {
        assertThat(index.stored(new SampleKey(0, 0, 0, 0, 0, i), 1)).isTrue();
      }
      Victim victim = index.takeVictim();
      first[(int) (victim == null ? -1 : victim.key().index())]++;
    }
    for (int count : first) {
      assertThat(count).isCloseTo(500, within(120));
    }
  }

  @Test
  void pass_forgetsWhatIsNotThere_andFindsWhatIs() {
    VictimIndex index = new VictimIndex(DATASET, Policy.LRU, 100);
    assertThat(index.stored(key(1), 1)).isTrue();
    assertThat(index.stored(key(2), 1)).isTrue();

    index.beginPass();
    assertThat(index.stored(key(3), 1)).isTrue();
    assertThat(index.seen(key(2), 1)).isTrue();
    assertThat(index.seen(key(4), 1)).isTrue();
    index.endPass();

    assertThat(order(index)).containsExactly(key(4), key(2), key(3));
  }

  @Test
  void full_takesNoMore() {
    VictimIndex index = new VictimIndex(DATASET, Policy.RANDOM, 2);
    assertThat(index.stored(key(1), 1)).isTrue();
    assertThat(index.seen(key(2), 1)).isTrue();

    assertThat(index.isFull()).isTrue();
    assertThat(index.stored(key(3), 1)).isFalse();
    assertThat(index.stored(key(2), 1)).isTrue();
  }

  @Test
  void takeOver_keepsTheOrder() {
    VictimIndex lru = new VictimIndex(DATASET, Policy.LRU, 10);
    for (long i = 0; i < 5; i++) {
      assertThat(lru.stored(key(i), 1)).isTrue();
    }
    assertThat(lru.read(key(0))).isTrue();
    VictimIndex lfu = new VictimIndex(DATASET, Policy.LFU, 10);

    lfu.takeOver(lru);

    assertThat(order(lfu)).containsExactly(key(1), key(2), key(3), key(4), key(0));
  }
}
