package io.trainingday.djl;

import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Finds randomness in transforms, as far as it can be seen: by name, by {@link RandomTransform}, by
 * a random generator in a field; in the transform or in transforms it is made of. A lambda's code
 * or a call of {@code Math.random()} cannot be seen.
 */
final class RandomParts {
  private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());

  private RandomParts() {}

  /** The class that is random, or null if none was found. */
  static @Nullable String find(Transform transform) {
    return new RandomParts().in(transform);
  }

  private @Nullable String in(@Nullable Object value) {
    if (value == null) {
      return null;
    }
    if (value instanceof RandomGenerator || isRandomTransform(value)) {
      return value.getClass().getName();
    }
    if (value instanceof Iterable<?> many) {
      return seen.add(value) ? inAny(many) : null;
    }
    if (value instanceof Object[] many) {
      return seen.add(value) ? inAny(Arrays.asList(many)) : null;
    }
    boolean madeOfParts = value instanceof Transform || value instanceof Pipeline;
    return madeOfParts && seen.add(value) ? inFields(value) : null;
  }

  private @Nullable String inAny(Iterable<?> values) {
    for (Object value : values) {
      String found = in(value);
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  private @Nullable String inFields(Object value) {
    if (value instanceof Pipeline pipeline) {
      return inAny(pipeline.getTransforms());
    }
    for (Field field : ObjectFields.of(value.getClass(), Object.class)) {
      String found = in(valueIfOpen(field, value));
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  /** Null where a module keeps the field closed: what it holds cannot be looked at. */
  private static @Nullable Object valueIfOpen(Field field, Object target) {
    try {
      return ObjectFields.value(field, target);
    } catch (IllegalAccessException e) {
      return null;
    }
  }

  private static boolean isRandomTransform(Object value) {
    if (value instanceof RandomTransform) {
      return true;
    }
    if (value instanceof Transform) {
      for (Class<?> c = value.getClass(); c != null; c = c.getSuperclass()) {
        if (c.getSimpleName().startsWith("Random")) {
          return true;
        }
      }
    }
    return false;
  }
}
