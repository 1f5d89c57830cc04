package io.trainingday.node.recovery;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * A small file that is there as a whole, as it was before, or known to be damaged; whatever
 * happens, power failures included.
 *
 * <pre>
 * "tdkept" | u8 layout (1) | u8 kind (1 to 4) | u32 length | payload | u32 CRC-32C of all before
 * </pre>
 *
 * Numbers are big-endian.
 */
final class SealedFile {
  /** What is in it. */
  enum Kind {
    MEMBERSHIP(1),
    KEY(2),
    PIPELINES(3),
    STAMPS(4);

    private final byte number;

    Kind(int number) {
      this.number = (byte) number;
    }
  }

  private static final byte[] MAGIC = "tdkept".getBytes(StandardCharsets.US_ASCII);
  private static final int LAYOUT = 1;
  private static final int HEAD_BYTES = MAGIC.length + 2 + Integer.BYTES;
  private static final String HALF = ".half";

  private SealedFile() {}

  static boolean isHalf(Path file) {
    return file.toString().endsWith(HALF);
  }

  /** Returns when it will be there after a power failure, too. One writer a file at a time. */
  static void write(Path file, Kind kind, byte[] payload) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(HEAD_BYTES + payload.length + Integer.BYTES);
    bytes.put(MAGIC).put((byte) LAYOUT).put(kind.number);
    bytes.putInt(payload.length).put(payload);
    bytes.putInt((int) checksum(bytes.array(), bytes.position())).flip();
    Path half = file.resolveSibling(file.getFileName() + HALF);
    try (FileChannel out =
        FileChannel.open(
            half,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      out.force(true);
    }
    Files.move(half, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    force(Objects.requireNonNull(file.getParent(), "of a file in a directory"));
  }

  /** Makes what was named in a directory stay in it. */
  static void force(Path directory) throws IOException {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /**
   * @throws DamagedFileException when it is none of ours, or not what was written
   * @throws java.nio.file.NoSuchFileException when it is not there
   */
  static byte[] read(Path file, Kind kind) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    if (bytes.length < HEAD_BYTES + Integer.BYTES) {
      throw new DamagedFileException(file, bytes.length + " bytes are too few");
    }
    if (!Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new DamagedFileException(file, "it is not of this program");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes, MAGIC.length, bytes.length - MAGIC.length);
    int layout = Byte.toUnsignedInt(in.get());
    if (layout != LAYOUT) {
      throw new DamagedFileException(
          file, "it has layout %d, this node reads %d".formatted(layout, LAYOUT));
    }
    int found = in.get();
    int length = in.getInt();
    if (found != kind.number || length != bytes.length - HEAD_BYTES - Integer.BYTES) {
      throw new DamagedFileException(
          file, "kind=%d, length=%d in %d bytes".formatted(found, length, bytes.length));
    }
    int end = HEAD_BYTES + length;
    if ((int) checksum(bytes, end) != in.getInt(end)) {
      throw new DamagedFileException(file, "its checksum is wrong");
    }
    return Arrays.copyOfRange(bytes, HEAD_BYTES, end);
  }

  private static long checksum(byte[] bytes, int length) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, length);
    return checksum.getValue();
  }
}
