package io.trainingday.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** The 1,797 handwritten digits that the demo ships: 8x8 pixels of 0..16, labels 0..9. */
final class Digits {
  static final int CLASSES = 10;

  /** Width and height of an image as it is stored. */
  static final int STORED_SIDE = 8;

  private final byte[][] pixels;
  private final byte[] labels;

  private Digits(byte[][] pixels, byte[] labels) {
    this.pixels = pixels;
    this.labels = labels;
  }

  static Digits read() {
    try (InputStream file = Digits.class.getResourceAsStream("digits.csv.gz")) {
      if (file == null) {
        throw new IllegalStateException("digits.csv.gz is missing from the class path");
      }
      List<String> lines =
          new BufferedReader(
                  new InputStreamReader(new GZIPInputStream(file), StandardCharsets.US_ASCII))
              .lines()
              .toList();
      byte[][] pixels = new byte[lines.size()][STORED_SIDE * STORED_SIDE];
      byte[] labels = new byte[lines.size()];
      for (int row = 0; row < labels.length; row++) {
        String[] numbers = lines.get(row).split(",", -1);
        for (int i = 0; i < pixels[row].length; i++) {
          pixels[row][i] = Byte.parseByte(numbers[i]);
        }
        labels[row] = Byte.parseByte(numbers[pixels[row].length]);
      }
      return new Digits(pixels, labels);
    } catch (IOException e) {
      throw new UncheckedIOException("digits.csv.gz cannot be read from the class path", e);
    }
  }

  int size() {
    return labels.length;
  }

  int pixel(int row, int y, int x) {
    return pixels[row][y * STORED_SIDE + x];
  }

  int label(int row) {
    return labels[row];
  }
}
