package io.trainingday.djl;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.util.Progress;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Small data sets whose samples tell their index. */
final class TestDatasets {
  private TestDatasets() {}

  /** float32 (2, 3) of {@code 10 * index + position}, label int64 (). */
  static class Numbers extends RandomAccessDataset {
    private final int size;

    Numbers(Builder builder) {
      super(builder);
      size = builder.size;
    }

    static Builder builder() {
      return new Builder();
    }

    @Override
    public Record get(NDManager manager, long index) throws IOException {
      float[] values = new float[6];
      for (int i = 0; i < values.length; i++) {
        values[i] = 10 * index + i;
      }
      return new Record(
          new NDList(manager.create(values, new Shape(2, 3))), new NDList(manager.create(index)));
    }

    @Override
    protected long availableSize() {
      return size;
    }

    @Override
    public void prepare(@Nullable Progress progress) {}

    static final class Builder extends BaseBuilder<Builder> {
      private int size = 10;

      Builder() {
        setSampling(4, false);
      }

      Builder size(int samples) {
        size = samples;
        return this;
      }

      Numbers build() {
        return new Numbers(this);
      }

      @Override
      protected Builder self() {
        return this;
      }
    }
  }
}
