package io.trainingday.record;

import org.jspecify.annotations.Nullable;

/**
 * What the bytes of a field are: the element types PyTorch and DJL share, and three that are not
 * tensors. Codes are part of the wire format and never change.
 */
public enum DType {
  BOOL(1, 1, "bool"),
  U8(2, 1, "u8"),
  I8(3, 1, "i8"),
  I16(4, 2, "i16"),
  I32(5, 4, "i32"),
  I64(6, 8, "i64"),
  F16(7, 2, "f16"),
  BF16(8, 2, "bf16"),
  F32(9, 4, "f32"),
  F64(10, 8, "f64"),
  /** Opaque bytes, shape {@code [length]}. */
  BYTES(11, 1, "bytes"),
  /** Text as UTF-8, shape {@code [length in bytes]}. */
  UTF8(12, 1, "utf8"),
  /** A Java object as Kryo wrote it, shape {@code [length in bytes]}; opaque outside Java. */
  KRYO(13, 1, "kryo");

  private static final DType[] BY_CODE = values();

  private final int code;
  private final int elementBytes;
  private final String wireName;

  DType(int code, int elementBytes, String wireName) {
    this.code = code;
    this.elementBytes = elementBytes;
    this.wireName = wireName;
  }

  /** The number that stands for this type in a descriptor, 1 to 13. */
  public int code() {
    return code;
  }

  /** Bytes of one element; 1 where the field is not a tensor. */
  public int elementBytes() {
    return elementBytes;
  }

  /** The name used in messages, in the contract and by the Python client, such as {@code f32}. */
  public String wireName() {
    return wireName;
  }

  /** Whether a field of this type is an array with a shape of its own. */
  public boolean isTensor() {
    return code <= F64.code;
  }

  /** The type of a wire code, or null where no type has it. */
  static @Nullable DType ofCode(int code) {
    return code >= 1 && code <= BY_CODE.length ? BY_CODE[code - 1] : null;
  }
}
