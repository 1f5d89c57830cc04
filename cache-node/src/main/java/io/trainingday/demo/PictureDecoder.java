package io.trainingday.demo;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** Decodes a picture file into three square planes of bytes. */
final class PictureDecoder {
  /**
   * Bounds the row of pixels that decoders hold; rows themselves are thinned out while decoding.
   */
  private static final int MAX_PICTURE_SIDE = 65_535;

  private PictureDecoder() {}

  /**
   * Returns red, green and blue planes of {@code side * side} bytes each: the picture on white,
   * stretched to a square.
   *
   * @throws IOException naming the file, if it cannot be read or decoded or is too large
   */
  static byte[] decode(Path file, int side) throws IOException {
    BufferedImage square = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    Graphics2D canvas = square.createGraphics();
    try {
      canvas.setColor(Color.WHITE);
      canvas.fillRect(0, 0, side, side);
      canvas.setRenderingHint(
          RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
      canvas.drawImage(read(file, side), 0, 0, side, side, null);
    } finally {
      canvas.dispose();
    }
    return planes(((DataBufferInt) square.getRaster().getDataBuffer()).getData());
  }

  private static byte[] planes(int[] pixels) {
    byte[] planes = new byte[3 * pixels.length];
    for (int i = 0; i < pixels.length; i++) {
      planes[i] = (byte) (pixels[i] >> 16);
      planes[pixels.length + i] = (byte) (pixels[i] >> 8);
      planes[2 * pixels.length + i] = (byte) pixels[i];
    }
    return planes;
  }

  private static BufferedImage read(Path file, int side) throws IOException {
    try (ImageInputStream bytes =
        new MemoryCacheImageInputStream(new ByteArrayInputStream(Files.readAllBytes(file)))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(bytes);
      if (!readers.hasNext()) {
        throw new IOException("it is neither PNG nor JPEG inside");
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(bytes, true, true);
        ImageReadParam thinning = reader.getDefaultReadParam();
        thinning.setSourceSubsampling(
            step(reader.getWidth(0), side), step(reader.getHeight(0), side), 0, 0);
        return reader.read(0, thinning);
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException e) {
      // Decoders answer damaged bytes with runtime exceptions too.
      throw new IOException(
          "picture file=%s cannot be decoded (%s); repair or remove it".formatted(file, e), e);
    }
  }

  /**
   * Every how many pixels to keep one: at least twice the wanted side is left, which is all that
   * the bilinear scaling looks at, and a picture of any size needs little heap.
   */
  private static int step(int pictureSide, int side) throws IOException {
    if (pictureSide > MAX_PICTURE_SIDE) {
      throw new IOException("side=%d > %d pixels".formatted(pictureSide, MAX_PICTURE_SIDE));
    }
    return Math.max(1, pictureSide / (2 * side));
  }
}
