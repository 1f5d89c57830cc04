package io.trainingday.djl;

import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.lang.reflect.Field;
import org.jspecify.annotations.Nullable;

/**
 * What DJL 0.35 keeps to itself and a wrapper must know: a data set's settings, which it applies
 * after {@code get}, and the keys of a pipeline's transforms. There is no public way to either.
 */
final class DjlInternals {
  private DjlInternals() {}

  /** A protected field of the data set; null where DJL has null there. */
  static <T> @Nullable T setting(RandomAccessDataset dataset, String name, Class<T> type) {
    return type.cast(read(RandomAccessDataset.class, name, dataset));
  }

  /** The transforms of a pipeline with what each is applied to, in order. */
  static PairList<Object, Transform> steps(Pipeline pipeline) {
    @SuppressWarnings("unchecked") // the key's class is private to Pipeline, any stands for it here
    PairList<Object, Transform> steps =
        (PairList<Object, Transform>) read(Pipeline.class, "transforms", pipeline);
    if (steps == null) {
      throw new IllegalStateException("a pipeline without a list of transforms");
    }
    return steps;
  }

  /** A pipeline of some of the transforms, applied to the same arrays as in the whole. */
  static Pipeline part(Pipeline whole, int from, int to) {
    Pipeline part = new Pipeline();
    PairList<Object, Transform> steps = steps(part);
    for (Pair<Object, Transform> step : steps(whole).subList(from, to)) {
      steps.add(step);
    }
    return part;
  }

  /** What a step is applied to: a position such as {@code 0}, or a name in quotes. */
  static String target(Object stepKey) {
    Object name = read(stepKey.getClass(), "key", stepKey);
    return name == null
        ? String.valueOf(read(stepKey.getClass(), "index", stepKey))
        : "'" + name + "'";
  }

  private static @Nullable Object read(Class<?> owner, String name, Object target) {
    try {
      Field field = owner.getDeclaredField(name);
      field.setAccessible(true);
      return field.get(target);
    } catch (ReflectiveOperationException | RuntimeException e) {
      throw new IllegalStateException(
          "%s.%s of DJL cannot be read (%s); use DJL 0.35.1, on the class path"
              .formatted(owner.getName(), name, e),
          e);
    }
  }
}
