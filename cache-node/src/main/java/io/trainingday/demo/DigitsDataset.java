package io.trainingday.demo;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Record;

/** Digits as the model wants them: float32 (1, 32, 32) in -1..1, label int64 (). */
final class DigitsDataset extends ImageDataset {
  static final int SIDE = 32;

  private static final Shape SHAPE = new Shape(1, SIDE, SIDE);

  private final Digits digits;

  DigitsDataset(Digits digits, int[] rows) {
    super(rows);
    this.digits = digits;
  }

  @Override
  Record load(NDManager manager, int row) {
    return new Record(
        new NDList(manager.create(enlarged(row), SHAPE)),
        new NDList(manager.create((long) digits.label(row))));
  }

  /** Bilinear, pixel centres at half coordinates, edges repeated; then 0..16 to -1..1. */
  private float[] enlarged(int row) {
    float[] image = new float[SIDE * SIDE];
    for (int y = 0; y < SIDE; y++) {
      float sourceY = source(y);
      int top = (int) sourceY;
      int bottom = Math.min(top + 1, Digits.STORED_SIDE - 1);
      float downShare = sourceY - top;
      for (int x = 0; x < SIDE; x++) {
        float sourceX = source(x);
        int left = (int) sourceX;
        int right = Math.min(left + 1, Digits.STORED_SIDE - 1);
        float rightShare = sourceX - left;
        float upper = mix(digits.pixel(row, top, left), digits.pixel(row, top, right), rightShare);
        float lower =
            mix(digits.pixel(row, bottom, left), digits.pixel(row, bottom, right), rightShare);
        image[y * SIDE + x] = mix(upper, lower, downShare) / 8 - 1;
      }
    }
    return image;
  }

  private static float source(int target) {
    float source = (target + 0.5f) * Digits.STORED_SIDE / SIDE - 0.5f;
    return Math.max(0, Math.min(Digits.STORED_SIDE - 1, source));
  }

  private static float mix(float a, float b, float shareOfB) {
    return a + (b - a) * shareOfB;
  }
}
