package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PictureDecoderTest {
  private static final int SIDE = 8;
  private static final int PLANE = SIDE * SIDE;

  private final Path folder;

  PictureDecoderTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void decode_anySize_fillsThreePlanes() throws IOException {
    for (int side : new int[] {1, 8, 37, 3_000}) {
      Path file = TestPictures.png(folder.resolve("p.png"), side, 5, new Color(10, 20, 30));
      byte[] planes = PictureDecoder.decode(file, SIDE);
      for (int i = 0; i < PLANE; i++) {
        assertThat(planes[i]).isEqualTo((byte) 10);
        assertThat(planes[PLANE + i]).isEqualTo((byte) 20);
        assertThat(planes[2 * PLANE + i]).isEqualTo((byte) 30);
      }
      assertThat(planes).hasSize(3 * PLANE);
    }
  }

  @Test
  void decode_transparentPicture_liesOnWhite() throws IOException {
    Path file = TestPictures.png(folder.resolve("p.png"), 9, 9, new Color(0, 0, 0, 0));
    assertThat(PictureDecoder.decode(file, SIDE)).containsOnly(255);
  }

  @Test
  void decode_notAPicture_namesTheFile() throws IOException {
    Path file = Files.writeString(folder.resolve("p.png"), "text");
    assertThatThrownBy(() -> PictureDecoder.decode(file, SIDE))
        .isInstanceOf(IOException.class)
        .hasMessage(
            "picture file=%s cannot be decoded (java.io.IOException: it is neither PNG nor JPEG"
                    .formatted(file)
                + " inside); repair or remove it");
  }

  @Test
  void decode_cutOffPicture_namesTheFile() throws IOException {
    Path file = TestPictures.png(folder.resolve("p.png"), 50, 50, Color.RED);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertThatThrownBy(() -> PictureDecoder.decode(file, SIDE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("picture file=" + file + " cannot be decoded");
  }
}
