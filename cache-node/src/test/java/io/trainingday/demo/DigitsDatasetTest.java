package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Record;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class DigitsDatasetTest {
  private final Digits digits = Digits.read();

  @Test
  void digits_shippedFile_holdsAllImagesAsTheyAre() {
    assertThat(digits.size()).isEqualTo(1_797);
    assertThat(digits.label(0)).isZero();
    assertThat(digits.label(2)).isEqualTo(2);
    assertThat(digits.pixel(0, 0, 2)).isEqualTo(5);
    assertThat(digits.pixel(0, 0, 3)).isEqualTo(13);
    assertThat(digits.pixel(0, 1, 3)).isEqualTo(15);
    assertThat(digits.pixel(0, 7, 4)).isEqualTo(10);
  }

  @Test
  void get_image_isEnlargedBilinearlyAndScaled() throws IOException {
    try (NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      Record record = new DigitsDataset(digits, new int[] {2, 0}).get(manager, 1);

      NDArray image = record.getData().singletonOrThrow();
      assertThat(image.getShape()).isEqualTo(new Shape(1, 32, 32));
      assertThat(image.getDataType()).isEqualTo(DataType.FLOAT32);
      assertThat(image.getFloat(0, 0, 0)).as("background").isEqualTo(-1f);
      // Row 2 lies 1/8 of the way from stored row 0 to 1, column 10 from stored column 2 to 3.
      float above = 5 + (13 - 5) * 0.125f;
      float below = 13 + (15 - 13) * 0.125f;
      assertThat(image.getFloat(0, 2, 10)).isEqualTo((above + (below - above) * 0.125f) / 8 - 1);
      NDArray label = record.getLabels().singletonOrThrow();
      assertThat(label.getShape()).isEqualTo(new Shape());
      assertThat(label.getDataType()).isEqualTo(DataType.INT64);
      assertThat(label.getLong()).isZero();
    }
  }

  @Test
  void get_calledTwice_countsTwoLoads() throws IOException {
    DigitsDataset dataset = new DigitsDataset(digits, new int[] {0, 1, 2});
    try (NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      dataset.get(manager, 1);
      dataset.get(manager, 1);
    }
    assertThat(dataset.loads()).isEqualTo(2);
    assertThat(dataset.size()).isEqualTo(3);
  }
}
