package io.trainingday.node.policy;

import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Numbers for what keys of one data set have in common beside their index: few, and repeated. */
final class SpaceNumbers {
  static final int UNKNOWN = -1;

  private record Space(long incarnation, long pipeline, long sampleVersion, int variant) {}

  private final long dataset;
  private final Map<Space, Integer> numbers = new HashMap<>();
  private final List<@Nullable Space> spaces = new ArrayList<>();
  private final List<Integer> free = new ArrayList<>();
  private int[] uses = {};
  private @Nullable SampleKey lastKey;
  private int lastNumber = UNKNOWN;

  SpaceNumbers(long dataset) {
    this.dataset = dataset;
  }

  /** The number of a key's space, or {@link #UNKNOWN}. */
  int of(SampleKey key) {
    SampleKey like = lastKey;
    if (like != null
        && like.pipeline() == key.pipeline()
        && like.sampleVersion() == key.sampleVersion()
        && like.variant() == key.variant()
        && like.incarnation() == key.incarnation()) {
      return lastNumber;
    }
    Integer number = numbers.get(space(key));
    if (number == null) {
      return UNKNOWN;
    }
    lastKey = key;
    lastNumber = number;
    return number;
  }

  /** The number of a key's space, which has one more entry from now on. */
  int use(SampleKey key) {
    int known = of(key);
    if (known == UNKNOWN) {
      Space space = space(key);
      if (free.isEmpty()) {
        known = spaces.size();
        spaces.add(space);
        if (known == uses.length) {
          uses = Arrays.copyOf(uses, Math.max(4, 2 * uses.length));
        }
      } else {
        known = free.remove(free.size() - 1);
        spaces.set(known, space);
      }
      numbers.put(space, known);
    }
    uses[known]++;
    return known;
  }

  /** Takes back one use; a space without any is forgotten. */
  void leave(int number) {
    if (--uses[number] == 0) {
      Space space = at(number);
      numbers.remove(space);
      spaces.set(number, null);
      free.add(number);
      lastKey = null;
    }
  }

  SampleKey key(int number, long index) {
    Space space = at(number);
    return new SampleKey(
        dataset, space.incarnation, space.pipeline, space.sampleVersion, space.variant, index);
  }

  private Space at(int number) {
    Space space = spaces.get(number);
    if (space == null) {
      throw new IllegalStateException("no key space has number " + number);
    }
    return space;
  }

  private static Space space(SampleKey key) {
    return new Space(key.incarnation(), key.pipeline(), key.sampleVersion(), key.variant());
  }
}
