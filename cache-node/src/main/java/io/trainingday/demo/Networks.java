package io.trainingday.demo;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;

/** The demo's two convolutional networks; both are free of random parts such as dropout. */
final class Networks {
  private Networks() {}

  /** For float32 (B, 1, 32, 32); about 1.5 million multiplications a sample. */
  static Block digits(int classes) {
    return new SequentialBlock()
        .add(convolution(32, 3, 1))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(convolution(32, 3, 1))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(convolution(32, 3, 1))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(Blocks.batchFlattenBlock())
        .add(Linear.builder().setUnits(classes).build());
  }

  /**
   * For uint8 (B, 3, 224, 224); the coarse first stride keeps a step cheap on two cores.
   *
   * <p>The cast to float32 is part of the model, so that what is read and cached stays one byte a
   * value.
   */
  static Block pictures(int classes) {
    return new SequentialBlock()
        .add(
            LambdaBlock.singleton(
                pixels -> pixels.toType(DataType.FLOAT32, false).div(255), "scale"))
        .add(convolution(16, 7, 4))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(convolution(32, 3, 1))
        .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
        .add(convolution(64, 3, 1))
        .add(Pool.globalAvgPool2dBlock())
        .add(Linear.builder().setUnits(classes).build());
  }

  private static Block convolution(int filters, int kernel, int stride) {
    return new SequentialBlock()
        .add(
            Conv2d.builder()
                .setKernelShape(new Shape(kernel, kernel))
                .optStride(new Shape(stride, stride))
                .optPadding(new Shape(kernel / 2, kernel / 2))
                .setFilters(filters)
                .build())
        .add(BatchNorm.builder().build())
        .add(Activation.reluBlock());
  }
}
