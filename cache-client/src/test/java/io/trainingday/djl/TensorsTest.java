package io.trainingday.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class TensorsTest {
  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** These end the JVM, or come out wrong, when DJL's native code sees them. */
  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"BFLOAT16", "INT16", "UINT16", "UINT32", "UINT64", "COMPLEX64", "STRING", "UNKNOWN"})
  void toRecord_dtypeThatDjlCannotTakeBack_isRefusedUntouched(DataType type) {
    NDArray array =
        (NDArray)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {NDArray.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("getDataType")) {
                    return type;
                  }
                  throw new AssertionError("touched: " + method);
                });

    assertThatThrownBy(() -> Tensors.toRecord(new NDList(), new NDList(array)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "label0 has dtype=%s, which cannot be cached, allowed: ".formatted(type)
                + "FLOAT32, FLOAT64, FLOAT16, UINT8, INT32, INT8, INT64, BOOLEAN; add a transform"
                + " that calls toType(…)");
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"BF16", "I16", "BYTES", "UTF8", "KRYO"})
  void toArray_dtypeThatDjlCannotTake_isRefusedBeforeDjlSeesIt(DType dtype) {
    assertThatThrownBy(
            () ->
                Tensors.toArray(
                    manager, "data0", dtype, new long[] {1}, ByteBuffer.allocateDirect(2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "field 'data0' has dtype=%s, which DJL cannot read, allowed: FLOAT32, FLOAT64, FLOAT16,"
                    .formatted(dtype.wireName())
                + " UINT8, INT32, INT8, INT64, BOOLEAN");
  }

  @Test
  void toArray_bufferWithPositionAndOtherOrder_startsAtThePosition() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(16).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 4; i++) {
      buffer.putInt(4 * i, i);
    }
    buffer.order(ByteOrder.BIG_ENDIAN).position(8);

    NDArray array = Tensors.toArray(manager, "data0:x", DType.I32, new long[] {2}, buffer);

    assertThat(array.toIntArray()).containsExactly(2, 3);
    assertThat(array.getName()).isEqualTo("x");
    buffer.order(ByteOrder.LITTLE_ENDIAN).putInt(8, 77);
    assertThat(array.toIntArray()).as("no copy").containsExactly(77, 3);
  }

  @Test
  void toRecord_arrays_areFieldsInOrderThatOutliveThem() {
    NDArray image = manager.create(new float[] {1, 2});
    NDArray mask = manager.create(new boolean[] {true});
    mask.setName("mask");
    NDArray label = manager.create(5L);

    SampleRecord record = Tensors.toRecord(new NDList(image, mask), new NDList(label));
    image.close();

    assertThat(record.fields())
        .extracting(SampleRecord.Field::toString)
        .containsExactly("data0 f32[2]", "data1:mask bool[1]", "label0 i64[]");
    assertThat(record.field("data0").data().getFloat(4)).isEqualTo(2f);
  }

  @Test
  void isData_fieldOfSomebodyElse_isRefused() {
    assertThat(Tensors.isData("data0")).isTrue();
    assertThat(Tensors.isData("data12:image")).isTrue();
    assertThat(Tensors.isData("label0")).isFalse();
    assertThatThrownBy(() -> Tensors.isData("dataset"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "field 'dataset' was not stored by a DJL data set, expected: data0, …, label0, …; open"
                + " the data set under a name of its own");
  }
}
