package io.trainingday;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import io.trainingday.client.BatchStream;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.EpochOwnership;
import io.trainingday.client.RankGroup;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.SampleLoader;
import io.trainingday.client.TrainingCache;
import io.trainingday.djl.CachedDataset;
import io.trainingday.sampling.EpochPlan;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The code the README shows, between the marks; {@link ReadmeTest} runs it and compares. */
final class ReadmeSnippets {
  private ReadmeSnippets() {}

  /** What a user does with a batch of pictures. */
  interface Model {
    void train(ByteBuffer images);
  }

  /** What a user does with a DJL batch. */
  interface DjlModel {
    void train(Batch batch);
  }

  static void read(TrainingCache.Config config, SampleLoader loader, Model model) {
    // snippet read
    DatasetSpec spec =
        DatasetSpec.builder("birds-train")
            .pipeline("decode, resize 224, u8; v1") // another transform is another key space
            .sourceLength(60_000) // another source under this name is refused
            .sourceDigest("list of files, 2026-11-01")
            .build();
    try (TrainingCache cache = TrainingCache.connect(config);
        CachedSamples birds = cache.open(spec)) {
      long[] indices = {31_415, 9, 26_535};
      // loader.load(index) is called for what is missing, once among all trainers
      try (SampleBatch batch = birds.read(indices, ReadShape.COLLATED, loader)) {
        model.train(batch.field("image").data()); // (3, channels, height, width), no copy
      }
    }
    // end
  }

  static void djl(
      TrainingCache.Config config,
      RandomAccessDataset decodedAndResized,
      NDManager manager,
      DjlModel model)
      throws IOException, TranslateException {
    // snippet djl
    try (TrainingCache cache = TrainingCache.connect(config)) {
      CachedDataset birds =
          CachedDataset.builder()
              .setDataset(decodedAndResized) // any RandomAccessDataset
              .setName("birds-train")
              .setCache(cache)
              .optPipelineTag("v1") // default: read from its classes and fields
              .build();
      for (Batch batch : birds.getData(manager)) {
        model.train(batch);
        batch.close(); // gives the slot back
      }
    }
    // end
  }

  static void plan(
      CachedSamples birds,
      RankGroup ranks,
      long seed,
      long epoch,
      SampleLoader loader,
      Model model) {
    // snippet plan
    EpochOwnership owners = birds.agree(ranks, epoch); // one for all ranks, through the grid
    EpochPlan plan =
        EpochPlan.builder(60_000, seed, ranks.worldSize())
            .epoch(epoch)
            .batch(256)
            .tail(EpochPlan.Tail.DROP)
            .ownership(owners.snapshot(), owners.rankHosts())
            .build();
    try (BatchStream batches =
        birds.stream(plan.batches(ranks.rank()), ReadShape.COLLATED, loader, 2)) {
      while (batches.hasNext()) {
        try (SampleBatch batch = batches.next()) {
          model.train(batch.field("image").data());
        }
      }
    }
    // end
  }
}
