package io.trainingday.demo;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.TranslateException;
import ai.djl.util.Pair;
import java.io.IOException;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.concurrent.ExecutorService;

/**
 * One network in training.
 *
 * <p>A run is a function of the seed and of the samples' bytes: initial weights come from the
 * seeded engine, the order from {@link EpochOrder}, and nothing in the networks is random. Where
 * the bytes come from cannot show in losses or weights. One thread at a time.
 */
final class Training implements AutoCloseable {
  private static final float LEARNING_RATE = 3e-3f;

  private final long seed;
  private final int batchSize;
  private final ImageDataset origin;
  private final ExecutorService loaders = LoaderPool.start();
  private final Model model;
  private final Trainer trainer;

  Training(DemoInput input, long seed, int batchSize) {
    this.seed = seed;
    this.batchSize = batchSize;
    origin = input.train();
    PyTorch.engine().setRandomSeed(Long.hashCode(seed));
    model = Model.newInstance("demo", Device.cpu(), PyTorch.NAME);
    model.setBlock(input.network());
    trainer =
        model.newTrainer(
            new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                .optDevices(new Device[] {Device.cpu()})
                .optOptimizer(
                    Optimizer.adam().optLearningRateTracker(Tracker.fixed(LEARNING_RATE)).build()));
    long[] shape = new long[input.sampleShape().dimension() + 1];
    shape[0] = batchSize;
    System.arraycopy(input.sampleShape().getShape(), 0, shape, 1, shape.length - 1);
    trainer.initialize(new Shape(shape));
  }

  /**
   * Trains once on every sample.
   *
   * @param epoch number from 1; decides the order together with the seed
   * @param source of the samples that the training was made for
   */
  EpochResult epoch(int epoch, SampleSource source, Progress progress)
      throws IOException, TranslateException {
    CacheReads readsBefore = source.reads();
    long loadsBefore = origin.loads();
    double loadSecondsBefore = origin.loadSeconds();
    long samples = 0;
    double lossSum = 0;
    long waitNanos = 0;
    long start = System.nanoTime();
    try (NDManager epochManager = model.getNDManager().newSubManager()) {
      long waitStart = System.nanoTime();
      Iterator<Batch> batches =
          source
              .data()
              .getData(epochManager, new EpochOrder(seed, epoch, batchSize), loaders)
              .iterator();
      while (batches.hasNext()) {
        try (Batch batch = batches.next()) {
          waitNanos += System.nanoTime() - waitStart;
          lossSum += step(batch) * batch.getSize();
          samples += batch.getSize();
          progress.advance(batch.getSize());
        }
        waitStart = System.nanoTime();
      }
      waitNanos += System.nanoTime() - waitStart;
    }
    long nanos = System.nanoTime() - start;
    CacheReads readsAfter = source.reads();
    return new EpochResult(
        epoch,
        samples,
        nanos / 1e9,
        waitNanos / 1e9,
        readsBefore == null || readsAfter == null ? null : readsAfter.minus(readsBefore),
        origin.loads() - loadsBefore,
        origin.loadSeconds() - loadSecondsBefore,
        lossSum / samples);
  }

  private double step(Batch batch) {
    double loss;
    try (GradientCollector gradients = trainer.newGradientCollector()) {
      NDList predictions = trainer.forward(batch.getData());
      NDArray mean = trainer.getLoss().evaluate(batch.getLabels(), predictions);
      gradients.backward(mean);
      loss = mean.getFloat();
    }
    trainer.step();
    return loss;
  }

  /** Returns the share of samples that the network classifies correctly, 0..1. */
  double accuracy(RandomAccessDataset test) throws IOException, TranslateException {
    long right = 0;
    try (NDManager manager = model.getNDManager().newSubManager()) {
      for (Batch batch : test.getData(manager, new EpochOrder(seed, 0, batchSize), loaders)) {
        try (batch) {
          NDArray answers = trainer.evaluate(batch.getData()).singletonOrThrow().argMax(1);
          right += answers.eq(batch.getLabels().singletonOrThrow()).countNonzero().getLong();
        }
      }
    }
    return (double) right / test.size();
  }

  /** Returns the lower-case hex digest of all parameters' bytes in the order of their names. */
  String weightsSha256() {
    MessageDigest digest = Sha256.start();
    model.getBlock().getParameters().stream()
        .sorted(Comparator.comparing(Pair<String, Parameter>::getKey))
        .forEach(parameter -> digest.update(parameter.getValue().getArray().toByteArray()));
    return HexFormat.of().formatHex(digest.digest());
  }

  @Override
  public void close() {
    loaders.shutdownNow();
    trainer.close();
    model.close();
  }
}
