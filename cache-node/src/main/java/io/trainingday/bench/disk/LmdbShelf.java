package io.trainingday.bench.disk;

import io.trainingday.bench.path.BenchException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.lmdbjava.Dbi;
import org.lmdbjava.DbiFlags;
import org.lmdbjava.Env;
import org.lmdbjava.EnvFlags;
import org.lmdbjava.Txn;

/** LMDB: a tree in one file that is mapped to memory; a transaction for each sample. */
final class LmdbShelf implements Shelf {
  private static final long OTHER_BYTES = 64L << 20;

  private final Env<ByteBuffer> env;
  private final Dbi<ByteBuffer> samples;
  private final ByteBuffer key = ByteBuffer.allocateDirect(Long.BYTES);

  /**
   * @param bytes of all samples that will be put
   */
  LmdbShelf(Path directory, long bytes) {
    // A commit does not wait for the disk, sync does: as the others are measured.
    env =
        Env.create()
            .setMapSize(2 * bytes + OTHER_BYTES)
            .open(directory.toFile(), EnvFlags.MDB_NOSYNC, EnvFlags.MDB_NORDAHEAD);
    samples = env.openDbi("samples", DbiFlags.MDB_CREATE);
  }

  @Override
  public void put(long index, byte[] sample) {
    try (Txn<ByteBuffer> write = env.txnWrite()) {
      samples.reserve(write, key(index), sample.length).put(sample);
      write.commit();
    }
  }

  private ByteBuffer key(long index) {
    return key.putLong(0, index);
  }

  @Override
  public void sync() {
    env.sync(true);
  }

  @Override
  public void read(long index, ByteBuffer target, int offset) {
    try (Txn<ByteBuffer> read = env.txnRead()) {
      ByteBuffer sample = samples.get(read, key(index));
      if (sample == null) {
        throw new BenchException("sample " + index + " is missing");
      }
      target.put(offset, sample, 0, sample.remaining());
    }
  }

  @Override
  public void close() {
    env.close();
  }
}
