package io.trainingday.demo;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What the demo trains on.
 *
 * @param name of the training set in the cache; another source has another name
 * @param pipelineTag what the preprocessing is; changes with it
 * @param description one line for the user
 * @param train the samples to train on, in no particular order
 * @param test the held-out samples
 * @param sampleShape shape of one sample's data, without the batch
 * @param network an uninitialised network for this data
 */
record DemoInput(
    String name,
    String pipelineTag,
    String description,
    ImageDataset train,
    ImageDataset test,
    Shape sampleShape,
    Block network) {

  static DemoInput digits() {
    Digits digits = Digits.read();
    HeldOutSplit split = HeldOutSplit.of(digits.size());
    return new DemoInput(
        "demo-digits-train",
        "bilinear 32x32 f32 -1..1, v1",
        String.format(
            Locale.ROOT,
            "%,d handwritten digits (UCI), %,d to train on, %,d held out for the test",
            digits.size(),
            split.train().length,
            split.test().length),
        new DigitsDataset(digits, split.train()),
        new DigitsDataset(digits, split.test()),
        new Shape(1, DigitsDataset.SIDE, DigitsDataset.SIDE),
        Networks.digits(Digits.CLASSES));
  }

  /**
   * @throws IllegalArgumentException in words for the user, if the folder holds nothing to train on
   */
  static DemoInput pictures(Path folder) throws IOException {
    ImageFolder images = ImageFolder.scan(folder);
    HeldOutSplit split = HeldOutSplit.of(images.size());
    return new DemoInput(
        "demo-pictures-train-" + images.digest(),
        "ImageIO thinned bilinear 3x224x224 u8, v1",
        String.format(
            Locale.ROOT,
            "%,d pictures in %d classes from %s (%,d other files skipped), %,d to train on, %,d held out",
            images.size(),
            images.classes().size(),
            images.folder(),
            images.skippedFiles(),
            split.train().length,
            split.test().length),
        new ImageFolderDataset(images, split.train()),
        new ImageFolderDataset(images, split.test()),
        new Shape(3, ImageFolderDataset.SIDE, ImageFolderDataset.SIDE),
        Networks.pictures(images.classes().size()));
  }
}
