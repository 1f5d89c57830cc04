package io.trainingday.djl;

import ai.djl.engine.Engine;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import ai.djl.util.Pair;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The identity of what a data set and its transforms make of a sample: classes with a digest of
 * their code and of what they call ({@link CodeDigest}), the values in their fields, versions of
 * Java, DJL and its engine. Text, so that two can be compared by eye.
 *
 * <p>It sees through numbers, text, enums, shapes, arrays and lists of those, transforms and
 * pipelines. Anything else in a field is refused: what is not seen could change without anybody
 * noticing. Not seen are values of static fields that are set when the program runs, and what code
 * reads from outside, such as system properties and files.
 */
final class PipelineFingerprint {
  /** Longer arrays and lists stand in the text as a digest. */
  private static final int MAX_ELEMENTS = 64;

  private final Set<Object> open = Collections.newSetFromMap(new IdentityHashMap<>());

  private PipelineFingerprint() {}

  /** The fingerprint of a data set that says itself what it is. */
  static String ofTag(String tag, String extent) {
    return "djl tag=%s %s".formatted(tag, extent);
  }

  /**
   * Works the fingerprint out.
   *
   * @param pipeline the transforms whose result is stored
   * @param extent which part of the whole pipeline that is
   * @throws IllegalArgumentException naming what it cannot see through
   */
  static String of(RandomAccessDataset dataset, @Nullable Pipeline pipeline, String extent) {
    Engine engine = Engine.getInstance();
    StringBuilder text =
        new StringBuilder(
            "djl %s %s %s java %s %s%n"
                .formatted(
                    Engine.getDjlVersion(),
                    engine.getEngineName(),
                    engine.getVersion(),
                    Integer.toString(
                        Runtime.version().feature()), // whatever digits people use here
                    extent));
    PipelineFingerprint fingerprint = new PipelineFingerprint();
    text.append(
        fingerprint.object(dataset, RandomAccessDataset.class, dataset.getClass().getSimpleName()));
    if (pipeline != null) {
      text.append('\n').append(fingerprint.value(pipeline, "pipeline"));
    }
    return text.toString();
  }

  private String value(@Nullable Object value, String where) {
    if (value == null || value instanceof Integer || value instanceof Boolean) {
      return String.valueOf(value);
    }
    if (value instanceof Character || isBoxed(value)) {
      return value.getClass().getSimpleName() + ":" + value;
    }
    if (value instanceof String text) {
      return text.length() > MAX_ELEMENTS ? "text#" + sha256(text) : quoted(text);
    }
    if (value instanceof Enum<?> constant) {
      return constant.getDeclaringClass().getName() + "." + constant.name();
    }
    if (value instanceof Class<?> type) {
      return type.getName();
    }
    if (value instanceof Shape shape) {
      return shape.toString();
    }
    if (!open.add(value)) {
      throw blind(where, value.getClass(), "it contains itself");
    }
    try {
      if (value.getClass().isArray()) {
        return array(value, where);
      }
      if (value instanceof List<?> list) {
        return array(list.toArray(), where);
      }
      if (value instanceof Pipeline pipeline) {
        return pipeline(pipeline, where);
      }
      if (value instanceof Transform) {
        return object(value, Object.class, where);
      }
    } finally {
      open.remove(value);
    }
    throw blind(
        where, value.getClass(), "only values, arrays, lists and transforms can be compared");
  }

  /** So that no text looks like another, or like several. */
  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  private static boolean isBoxed(Object value) {
    return value instanceof Number && value.getClass().getPackageName().equals("java.lang");
  }

  private String array(Object array, String where) {
    StringBuilder text = new StringBuilder();
    int length = Array.getLength(array);
    for (int i = 0; i < length; i++) {
      text.append(i == 0 ? "" : ",").append(value(Array.get(array, i), where + "[" + i + "]"));
    }
    return length > MAX_ELEMENTS ? "[" + length + "#" + sha256(text) + "]" : "[" + text + "]";
  }

  private String pipeline(Pipeline pipeline, String where) {
    if (pipeline.getClass() != Pipeline.class) {
      throw blind(where, pipeline.getClass(), "it changes how a pipeline works");
    }
    StringBuilder text = new StringBuilder();
    for (Pair<Object, Transform> step : DjlInternals.steps(pipeline)) {
      String target = DjlInternals.target(step.getKey());
      String name = where + "[" + target + "]";
      text.append(text.isEmpty() ? "" : "\n");
      text.append(name).append(" = ").append(value(step.getValue(), name));
    }
    return text.toString();
  }

  /** Class, code and fields; fields of a class and its superclasses are left out on demand. */
  private String object(Object object, Class<?> below, String where) {
    return ObjectFields.of(object.getClass(), below).stream()
        .map(field -> field.getName() + "=" + fieldValue(field, object, where))
        .collect(Collectors.joining(",", code(object.getClass(), where) + "{", "}"));
  }

  private String fieldValue(Field field, Object object, String where) {
    String name = where + "." + field.getName();
    try {
      return value(ObjectFields.value(field, object), name);
    } catch (IllegalAccessException e) {
      throw blind(name, field.getType(), "a module keeps it closed");
    }
  }

  /** The class name, with a digest of the code where no version stands for it. */
  private static String code(Class<?> type, String where) {
    if (type.isHidden() || type.isSynthetic()) {
      throw blind(where, type, "a lambda's code cannot be read");
    }
    if (type.getName().startsWith("ai.djl.")) {
      return type.getName();
    }
    MessageDigest digest = Sha256.start();
    try {
      if (!CodeDigest.update(digest, type)) {
        throw blind(where, type, "its code is not on the class path");
      }
    } catch (IOException e) {
      throw blind(where, type, "its code cannot be read: " + e);
    }
    return type.getName() + "#" + Sha256.hex(digest.digest());
  }

  private static IllegalArgumentException blind(String where, Class<?> type, String why) {
    return new IllegalArgumentException(
        "the pipeline fingerprint cannot see through %s, a %s: %s. Give optPipelineTag(\"…\"), and"
                .formatted(where, type.getName(), why)
            + " change the tag whenever the preprocessing changes");
  }

  private static String sha256(CharSequence text) {
    return Sha256.hex(Sha256.of(text.toString().getBytes(StandardCharsets.UTF_8)));
  }
}
