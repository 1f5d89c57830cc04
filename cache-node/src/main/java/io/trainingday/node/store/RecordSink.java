package io.trainingday.node.store;

/**
 * Where one read puts the bytes of one record.
 *
 * <p>Runs while locks of the storage are held: it must not block, do I/O, call the store or throw.
 * A sink that throws all the same turns its read into a miss. Used by one thread during one read.
 */
public interface RecordSink {
  /**
   * Called once, before any bytes.
   *
   * @param recordLength bytes that will follow, from 0
   * @return false to refuse the record; the read is then a miss and nothing follows
   */
  boolean begin(int recordLength);

  /**
   * Takes the next bytes of the record from native memory, which is valid during this call only.
   *
   * @param address of the first byte, see {@link NativeMemory}
   * @param length number of bytes, from 1
   */
  void copy(long address, int length);

  /**
   * Takes the next bytes of the record from an array, which must not be kept or changed.
   *
   * @param length number of bytes, from 1
   */
  void copy(byte[] bytes, int offset, int length);
}
