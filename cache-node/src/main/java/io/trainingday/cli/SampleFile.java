package io.trainingday.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Samples named in a text file, one a line: {@code index} or {@code index,stamp}. Empty lines do
 * not count. There may be millions, so that indices are kept as they are.
 */
final class SampleFile {
  private static final int MAX_STAMP_BYTES = 1_024;

  private final Path file;
  private final List<String> stamps = new ArrayList<>();
  private long[] indices = new long[1_024];
  private int[] lines = new int[1_024];
  private int count;

  private SampleFile(Path file) {
    this.file = file;
  }

  /**
   * Reads lines that are an index each.
   *
   * @throws SampleFileException naming file and line
   */
  static SampleFile ofIndices(Path file) {
    SampleFile samples = new SampleFile(file);
    samples.read(samples::addIndex);
    return samples;
  }

  /**
   * Reads lines that are an index and a stamp each.
   *
   * @throws SampleFileException naming file and line
   */
  static SampleFile ofStamps(Path file) {
    SampleFile samples = new SampleFile(file);
    samples.read(samples::addStamp);
    return samples;
  }

  /** In the order of the file, none twice, at least one. */
  long[] indices() {
    return Arrays.copyOf(indices, count);
  }

  /** One for each index, if they were read. */
  String[] stamps() {
    return stamps.toArray(String[]::new);
  }

  private interface LineTaker {
    void take(String line, int number);
  }

  private void read(LineTaker taker) {
    try (BufferedReader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      int number = 0;
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (!line.isBlank()) {
          taker.take(line.strip(), number);
        }
      }
    } catch (CharacterCodingException e) {
      throw new SampleFileException("%s is no UTF-8 text".formatted(file), e);
    } catch (IOException e) {
      throw new SampleFileException(
          "%s cannot be read (%s); give a file with one sample a line".formatted(file, reason(e)),
          e);
    }
    if (count == 0) {
      throw new SampleFileException("%s names no sample, expected one a line".formatted(file));
    }
    checkNoneTwice();
  }

  private static String reason(IOException failure) {
    if (failure instanceof NoSuchFileException) {
      return "there is none";
    }
    return failure instanceof AccessDeniedException
        ? "this process's user may not"
        : String.valueOf(failure.getMessage());
  }

  private void addIndex(String text, int line) {
    long index;
    try {
      index = Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw wrong(line, "'%.80s' is no index, expected a number of 0 or more".formatted(text));
    }
    if (index < 0) {
      throw wrong(line, "index=%d, expected a number of 0 or more".formatted(index));
    }
    if (count == indices.length) {
      indices = Arrays.copyOf(indices, 2 * count);
      lines = Arrays.copyOf(lines, 2 * count);
    }
    indices[count] = index;
    lines[count] = line;
    count++;
  }

  private void addStamp(String text, int line) {
    int comma = text.indexOf(',');
    if (comma < 0) {
      throw wrong(line, "'%.80s' has no stamp, expected index,stamp".formatted(text));
    }
    String stamp = text.substring(comma + 1).strip();
    int bytes = stamp.getBytes(StandardCharsets.UTF_8).length;
    if (bytes < 1 || bytes > MAX_STAMP_BYTES) {
      throw wrong(line, "a stamp of %d bytes, allowed: 1–%d".formatted(bytes, MAX_STAMP_BYTES));
    }
    addIndex(text.substring(0, comma).strip(), line);
    stamps.add(stamp);
  }

  private void checkNoneTwice() {
    long[] sorted = indices();
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      if (sorted[i] == sorted[i - 1]) {
        throw twice(sorted[i]);
      }
    }
  }

  private SampleFileException twice(long index) {
    int first = -1;
    for (int i = 0; i < count; i++) {
      if (indices[i] == index && first >= 0) {
        return wrong(lines[i], "index=%d stands in line %d already".formatted(index, first));
      }
      first = indices[i] == index ? lines[i] : first;
    }
    throw new IllegalStateException("index=%d is not there twice".formatted(index));
  }

  private SampleFileException wrong(int line, String what) {
    return new SampleFileException("%s, line %d: %s".formatted(file, line, what));
  }
}
