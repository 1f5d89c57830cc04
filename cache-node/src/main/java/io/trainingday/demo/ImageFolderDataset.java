package io.trainingday.demo;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Record;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Pictures of a folder as the model wants them: uint8 (3, 224, 224), label int64 (). */
final class ImageFolderDataset extends ImageDataset {
  static final int SIDE = 224;

  private static final Shape SHAPE = new Shape(3, SIDE, SIDE);

  private final ImageFolder images;

  ImageFolderDataset(ImageFolder images, int[] rows) {
    super(rows);
    this.images = images;
  }

  @Override
  Record load(NDManager manager, int row) throws IOException {
    byte[] planes = PictureDecoder.decode(images.picture(row), SIDE);
    return new Record(
        new NDList(manager.create(ByteBuffer.wrap(planes), SHAPE, DataType.UINT8)),
        new NDList(manager.create((long) images.label(row))));
  }
}
