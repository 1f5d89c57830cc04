package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Record;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ImageFolderTest {
  private final Path folder;

  ImageFolderTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void scan_subfolders_areClassesInOrderOfName() throws IOException {
    TestPictures.folder(folder, 6);
    TestPictures.png(folder.resolve("amber/deep/down/A.PNG"), 4, 4, Color.ORANGE);
    Files.writeString(folder.resolve("amber/notes.txt"), "not a picture");
    Files.createDirectory(folder.resolve("empty"));
    TestPictures.png(folder.resolve("stray.png"), 4, 4, Color.RED);

    ImageFolder images = ImageFolder.scan(folder);

    assertThat(images.classes()).containsExactly("amber", "blue", "red");
    assertThat(images.size()).isEqualTo(13);
    assertThat(images.skippedFiles()).isEqualTo(1);
    assertThat(images.picture(0)).endsWithRaw(Path.of("deep/down/A.PNG"));
    assertThat(images.label(0)).isZero();
    assertThat(images.picture(1)).endsWithRaw(Path.of("blue/00.jpg"));
    assertThat(images.label(1)).isEqualTo(1);
    assertThat(images.label(12)).isEqualTo(2);
  }

  @Test
  void scan_notAFolder_saysSo() {
    Path absent = folder.resolve("absent");
    assertThatThrownBy(() -> ImageFolder.scan(absent))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "--images=" + absent + " is not a folder; give one that has a sub-folder per class");
  }

  @Test
  void scan_oneClassOnly_saysWhatIsNeeded() throws IOException {
    TestPictures.png(folder.resolve("red/1.png"), 4, 4, Color.RED);
    assertThatThrownBy(() -> ImageFolder.scan(folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "--images="
                + folder
                + " holds 1 pictures in 1 classes, at least 10 in 2 are needed; put the PNG or JPEG"
                + " files of each class into a sub-folder of its own");
  }

  @Test
  void scan_linksToFolders_areFollowed() throws IOException {
    TestPictures.folder(folder.resolve("store"), 6);
    Path images = Files.createDirectory(folder.resolve("images"));
    Files.createSymbolicLink(images.resolve("azure"), folder.resolve("store/blue"));
    Files.createSymbolicLink(images.resolve("red"), folder.resolve("store/red"));
    Files.createSymbolicLink(images.resolve("nothing"), folder.resolve("gone"));

    ImageFolder scanned = ImageFolder.scan(images);

    assertThat(scanned.classes()).containsExactly("azure", "red");
    assertThat(scanned.size()).isEqualTo(12);
  }

  @Test
  void scan_folderThatContainsItself_isReadOnce() throws IOException {
    TestPictures.folder(folder, 6);
    Files.createSymbolicLink(folder.resolve("red/again"), folder.resolve("red"));

    assertThat(ImageFolder.scan(folder).size()).isEqualTo(12);
  }

  @Test
  void get_picture_isBytesInPlanes() throws IOException {
    TestPictures.folder(folder, 5);
    ImageFolderDataset dataset = new ImageFolderDataset(ImageFolder.scan(folder), new int[] {5});
    try (NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      Record record = dataset.get(manager, 0);

      assertThat(record.getData().singletonOrThrow().getShape()).isEqualTo(new Shape(3, 224, 224));
      assertThat(record.getData().singletonOrThrow().getDataType()).isEqualTo(DataType.UINT8);
      byte[] pixels = record.getData().singletonOrThrow().toByteArray();
      assertThat(pixels[0]).as("red").isEqualTo((byte) 255);
      assertThat(pixels[224 * 224]).as("green").isZero();
      assertThat(record.getLabels().singletonOrThrow().getLong()).isEqualTo(1);
    }
  }
}
