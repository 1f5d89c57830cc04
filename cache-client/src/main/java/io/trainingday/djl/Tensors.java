package io.trainingday.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * DJL arrays as record fields and back. The i-th array of a sample's data is field {@code datai},
 * that of its labels {@code labeli}, with {@code :name} behind it if DJL has a name for the array.
 *
 * <p>Only element types that DJL's PyTorch engine takes from a buffer pass, in either direction:
 * for bfloat16, int16 and the larger unsigned ones it ends the whole JVM, and complex numbers come
 * out wrong. Everything is checked before DJL's native code sees it.
 */
final class Tensors {
  private static final String DATA = "data";
  private static final String LABEL = "label";

  private static final Map<DataType, DType> STORED_AS =
      Map.of(
          DataType.FLOAT32, DType.F32,
          DataType.FLOAT64, DType.F64,
          DataType.FLOAT16, DType.F16,
          DataType.UINT8, DType.U8,
          DataType.INT8, DType.I8,
          DataType.INT32, DType.I32,
          DataType.INT64, DType.I64,
          DataType.BOOLEAN, DType.BOOL);

  private static final Map<DType, DataType> READ_AS =
      STORED_AS.entrySet().stream()
          .collect(Collectors.toUnmodifiableMap(Map.Entry::getValue, Map.Entry::getKey));

  private Tensors() {}

  /**
   * Copies a sample out of DJL's memory.
   *
   * @throws IllegalArgumentException naming an array whose element type cannot be stored
   */
  static SampleRecord toRecord(NDList data, NDList labels) {
    SampleRecord.Builder record = SampleRecord.builder();
    add(record, DATA, data);
    add(record, LABEL, labels);
    return record.build();
  }

  private static void add(SampleRecord.Builder record, String role, NDList arrays) {
    for (int i = 0; i < arrays.size(); i++) {
      NDArray array = arrays.get(i);
      String field = role + i;
      DType dtype = STORED_AS.get(array.getDataType());
      if (dtype == null) {
        throw new IllegalArgumentException(
            "%s has dtype=%s, which cannot be cached, allowed: %s; add a transform that calls"
                    .formatted(field, array.getDataType(), names(STORED_AS))
                + " toType(…)");
      }
      String name = array.getName();
      record.tensor(
          name == null ? field : field + ":" + name,
          dtype,
          array.getShape().getShape(),
          array.toByteBuffer());
    }
  }

  /** Whether a field holds a part of a sample's data, and not of its labels. */
  static boolean isData(String field) {
    if (isOf(DATA, field)) {
      return true;
    }
    if (isOf(LABEL, field)) {
      return false;
    }
    throw new IllegalArgumentException(
        "field '%s' was not stored by a DJL data set, expected: data0, …, label0, …; open the data"
                .formatted(field)
            + " set under a name of its own");
  }

  private static boolean isOf(String role, String field) {
    int digits = role.length();
    return field.startsWith(role)
        && field.length() > digits
        && Character.isDigit(field.charAt(digits));
  }

  /**
   * An array over a buffer, without a copy.
   *
   * @param buffer direct memory, little-endian, that outlives the array; position 0 is its start
   * @throws IllegalArgumentException naming a field whose element type DJL cannot take
   */
  static NDArray toArray(
      NDManager manager, String field, DType dtype, long[] shape, ByteBuffer buffer) {
    DataType type = READ_AS.get(dtype);
    if (type == null) {
      throw new IllegalArgumentException(
          "field '%s' has dtype=%s, which DJL cannot read, allowed: %s"
              .formatted(field, dtype.wireName(), names(STORED_AS)));
    }
    // A slice: DJL starts at offset 0 of the memory whatever the position is.
    NDArray array = manager.create(buffer.slice(), new Shape(shape), type);
    int colon = field.indexOf(':');
    if (colon >= 0) {
      array.setName(field.substring(colon + 1));
    }
    return array;
  }

  private static String names(Map<DataType, DType> types) {
    return types.keySet().stream().sorted().map(Enum::name).collect(Collectors.joining(", "));
  }
}
