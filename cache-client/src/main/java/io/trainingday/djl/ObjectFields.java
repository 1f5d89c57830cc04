package io.trainingday.djl;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The instance fields of an object, to look for what decides its behaviour. */
final class ObjectFields {
  private ObjectFields() {}

  /**
   * All instance fields, inherited ones too, up to a class that is left out together with its
   * superclasses; in an order that depends on names alone.
   */
  static List<Field> of(Class<?> type, Class<?> below) {
    List<Field> fields = new ArrayList<>();
    for (Class<?> c = type; c != null && c != below && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers())) {
          fields.add(field);
        }
      }
    }
    fields.sort(
        Comparator.comparing(Field::getName).thenComparing(f -> f.getDeclaringClass().getName()));
    return fields;
  }

  /**
   * The field's value in an object.
   *
   * @throws IllegalAccessException if a module keeps it closed
   */
  static @Nullable Object value(Field field, Object target) throws IllegalAccessException {
    if (!field.trySetAccessible()) {
      throw new IllegalAccessException(field + " is closed to reflection");
    }
    return field.get(target);
  }
}
