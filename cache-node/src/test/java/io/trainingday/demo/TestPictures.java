package io.trainingday.demo;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/** Writes small one-coloured pictures. */
final class TestPictures {
  private TestPictures() {}

  static Path png(Path file, int width, int height, Color color) throws IOException {
    return write(file, "png", width, height, BufferedImage.TYPE_INT_ARGB, color);
  }

  static Path jpeg(Path file, int width, int height, Color color) throws IOException {
    return write(file, "jpeg", width, height, BufferedImage.TYPE_INT_RGB, color);
  }

  /** Two classes, red and blue, of so many pictures each. */
  static Path folder(Path folder, int perClass) throws IOException {
    for (int i = 0; i < perClass; i++) {
      png(folder.resolve("red/%02d.png".formatted(i)), 16, 16, new Color(255 - i, 0, 0));
      jpeg(folder.resolve("blue/%02d.jpg".formatted(i)), 16, 16, new Color(0, 0, 255 - i));
    }
    return folder;
  }

  private static Path write(Path file, String format, int width, int height, int type, Color color)
      throws IOException {
    BufferedImage image = new BufferedImage(width, height, type);
    Graphics2D canvas = image.createGraphics();
    canvas.setBackground(color);
    canvas.clearRect(0, 0, width, height);
    canvas.dispose();
    Files.createDirectories(file.toAbsolutePath().getParent());
    if (!ImageIO.write(image, format, file.toFile())) {
      throw new IOException("no writer for " + format);
    }
    return file;
  }
}
