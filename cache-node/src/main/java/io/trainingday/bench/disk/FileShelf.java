package io.trainingday.bench.disk;

import io.trainingday.bench.path.BenchException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** One file, sample behind sample in the order of their indices: the limit of this disk. */
final class FileShelf implements Shelf {
  private final FileChannel file;
  private final int sampleBytes;

  FileShelf(Path directory, int sampleBytes) {
    this.sampleBytes = sampleBytes;
    try {
      file =
          FileChannel.open(
              directory.resolve("samples"),
              StandardOpenOption.CREATE_NEW,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
    } catch (IOException failure) {
      throw failed(failure);
    }
  }

  @Override
  public void put(long index, byte[] sample) {
    try {
      ByteBuffer from = ByteBuffer.wrap(sample);
      while (from.hasRemaining()) {
        file.write(from);
      }
    } catch (IOException failure) {
      throw failed(failure);
    }
  }

  @Override
  public void sync() {
    try {
      file.force(false);
    } catch (IOException failure) {
      throw failed(failure);
    }
  }

  @Override
  public void read(long index, ByteBuffer target, int offset) {
    try {
      ByteBuffer into = target.slice(offset, sampleBytes);
      long start = index * sampleBytes;
      while (into.hasRemaining()) {
        if (file.read(into, start + into.position()) < 0) {
          throw new BenchException("sample " + index + " is missing");
        }
      }
    } catch (IOException failure) {
      throw failed(failure);
    }
  }

  private static BenchException failed(IOException failure) {
    return new BenchException("a plain file failed: " + failure.getMessage(), failure);
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException failure) {
      throw failed(failure);
    }
  }
}
