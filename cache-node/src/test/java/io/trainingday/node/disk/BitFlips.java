package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Breaks what a store has in its files, as a failing disk would; the store may be open. */
public final class BitFlips {
  private BitFlips() {}

  /**
   * Flips one bit of each record that a store holds, anywhere in its first bytes.
   *
   * @param directory of the store
   * @return how many
   */
  public static int inEachRecord(Path directory, int recordBytes) throws IOException {
    return inEachEntry(directory, EntryHeader.LENGTH, recordBytes);
  }

  static int inEachEntry(Path directory, int from, int length) throws IOException {
    SplittableRandom random = new SplittableRandom(11);
    Map<Long, long[]> places = places(directory);
    for (long[] place : places.values()) {
      flip(directory, place, 8L * from + random.nextInt(8 * length));
    }
    return places.size();
  }

  /** The number of the segment and the offset of each entry, by the sample's index. */
  static Map<Long, long[]> places(Path directory) throws IOException {
    Map<Long, long[]> places = new HashMap<>();
    for (Path file : segments(directory)) {
      int number = Integer.parseInt(file.getFileName().toString().substring(0, 10));
      Segment segment = new Segment(number, file, Files.size(file));
      SegmentScan scan = new SegmentScan(segment, ByteBuffer.allocateDirect(4_096));
      for (SegmentScan.Entry entry = scan.next(); entry != null; entry = scan.next()) {
        places.put(entry.key().index(), new long[] {number, entry.location().offset()});
      }
      segment.close();
    }
    return places;
  }

  private static List<Path> segments(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("records"))) {
      return files.filter(file -> file.toString().endsWith(".records")).sorted().toList();
    }
  }

  static void flip(Path directory, long[] place, long bit) throws IOException {
    Path file = directory.resolve("records").resolve("%010d.records".formatted(place[0]));
    ByteBuffer one = ByteBuffer.allocate(1);
    long at = place[1] + bit / 8;
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      channel.read(one, at);
      one.put(0, (byte) (one.get(0) ^ 1 << bit % 8)).flip();
      channel.write(one, at);
    }
  }
}
