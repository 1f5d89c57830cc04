package io.trainingday.djl;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import ai.djl.translate.TranslateException;
import ai.djl.util.Progress;
import io.trainingday.client.CacheStats;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.SampleLoadException;
import io.trainingday.client.SampleLoader;
import io.trainingday.client.TrainingCache;
import io.trainingday.client.WarmUp;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * A DJL data set whose samples are read through the cache: {@code get} and the transforms of the
 * data set within run once per sample, not once per sample and epoch.
 *
 * <pre>{@code
 * try (TrainingCache cache = TrainingCache.connect();
 *     CachedDataset digits =
 *         CachedDataset.builder().setDataset(raw).setName("digits-train").setCache(cache).build()) {
 *   for (Batch batch : trainer.iterateDataset(digits)) { … }
 * }
 * }</pre>
 *
 * <p>It gives the batches that the data set within gives: same sampler unless another is set, same
 * batchifiers, same transform of labels (DJL applies that to whole batches, so it runs after every
 * read). Transforms run sample by sample, also for an {@code ArrayDataset}.
 *
 * <p>A batch's arrays lie over memory that is used again: they are valid until {@link Batch#close},
 * and what is to live longer must be copied. Changing them in place is allowed and never reaches
 * the cache. The data set within must allow {@code get} from several threads at once.
 *
 * <p>Thread-safe as far as the data set within is; one iteration belongs to one thread.
 */
public final class CachedDataset extends RandomAccessDataset implements AutoCloseable {
  private static final int MAX_PREFETCH = 1_000;

  private final RandomAccessDataset raw;
  private final @Nullable Pipeline beforeStore;
  private final CachedSamples samples;
  private final BatchAssembler assembler;
  private final long prefetchBytes;

  private CachedDataset(
      Settings settings,
      RandomAccessDataset raw,
      @Nullable Pipeline beforeStore,
      @Nullable Pipeline afterRead,
      CachedSamples samples,
      long prefetchBytes) {
    super(settings);
    this.raw = raw;
    this.beforeStore = beforeStore;
    this.samples = samples;
    this.prefetchBytes = prefetchBytes;
    assembler = new BatchAssembler(raw, afterRead);
  }

  /** Where a pipeline is divided into what is cached and what runs after every read. */
  public enum Cut {
    /** Cached is what comes before the first random transform. */
    BEFORE_RANDOM
  }

  /** Starts a data set. */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * One sample as it is in a batch: with all transforms of its data applied, in memory of its own.
   *
   * @throws SampleLoadException if it is not in the cache and could not be loaded
   */
  @Override
  public Record get(NDManager manager, long index) {
    try (SampleBatch batch =
        samples.read(new long[] {index}, ReadShape.RECORDS, loader(manager.getEngine()))) {
      return assembler.single(batch, manager);
    }
  }

  @Override
  public Iterable<Batch> getData(
      NDManager manager, Sampler sampler, @Nullable ExecutorService executorService)
      throws IOException, TranslateException {
    prepare();
    SampleLoader loader = loader(manager.getEngine());
    Iterator<List<Long>> order = sampler.sample(this);
    Iterator<Batch> batches =
        assembler.shape() == ReadShape.COLLATED
            ? new CachedBatches(
                samples.stream(
                    new IndexArrays(order),
                    ReadShape.COLLATED,
                    loader,
                    prefetchNumber,
                    prefetchBytes),
                assembler,
                manager)
            : new TransformedBatches(
                order,
                indices -> samples.read(indices, ReadShape.RECORDS, loader),
                assembler,
                manager,
                executorService,
                prefetchNumber);
    return () -> batches;
  }

  /**
   * Loads the data set into the cache in the background, see {@link WarmUp}: what is stored, so
   * without the transforms that run after reads.
   *
   * @param manager whose engine data set and transforms work with
   * @throws io.trainingday.client.CacheException if the node refuses the data set
   */
  public WarmUp warm(NDManager manager, WarmUp.Options options)
      throws IOException, TranslateException {
    prepare();
    return samples.warm(loader(manager.getEngine()), options);
  }

  /** What happened to the reads so far. */
  public CacheStats stats() {
    return samples.stats();
  }

  @Override
  protected long availableSize() {
    return raw.size();
  }

  @Override
  public void prepare(@Nullable Progress progress) throws IOException, TranslateException {
    raw.prepare(progress);
  }

  /** Ends the use of the cache; the data set within stays open. Batches handed out stay valid. */
  @Override
  public void close() {
    samples.close();
  }

  private SampleLoader loader(Engine engine) {
    return index -> load(engine, index);
  }

  private SampleRecord load(Engine engine, long index) throws IOException {
    try (NDManager manager = engine.newBaseManager(Device.cpu())) {
      Record sample = raw.get(manager, index);
      NDList data = sample.getData();
      NDList labels = sample.getLabels();
      NDList stored = beforeStore == null ? data : beforeStore.transform(data);
      try {
        return Tensors.toRecord(stored, labels);
      } finally {
        // As in DJL's own iteration; the arrays may belong to a manager of the data set.
        stored.close();
        labels.close();
      }
    }
  }

  private record IndexArrays(Iterator<List<Long>> lists) implements Iterator<long[]> {
    @Override
    public boolean hasNext() {
      return lists.hasNext();
    }

    @Override
    public long[] next() {
      return lists.next().stream().mapToLong(Long::longValue).toArray();
    }
  }

  /** Puts a {@link CachedDataset} together; an option set twice is refused. Not thread-safe. */
  public static final class Builder {
    private @Nullable RandomAccessDataset dataset;
    private @Nullable String name;
    private @Nullable TrainingCache cache;
    private @Nullable String pipelineTag;
    private @Nullable String sourceDigest;
    private @Nullable Sampler sampler;
    private @Nullable Integer prefetch;
    private @Nullable Long prefetchBytes;
    private @Nullable Cut cut;
    private @Nullable Boolean frozen;

    private Builder() {}

    /** The data set to read from when the cache has not got a sample. */
    public Builder setDataset(RandomAccessDataset raw) {
      checkUnset("dataset", dataset, raw);
      if (raw instanceof CachedDataset) {
        throw new IllegalArgumentException(
            "dataset is a CachedDataset already, give what it wraps");
      }
      dataset = raw;
      return this;
    }

    /** The name all trainers know the data set by, 1–255 bytes of UTF-8. */
    public Builder setName(String value) {
      checkUnset("name", name, value);
      name = value;
      return this;
    }

    /** The connection to read through; stays the caller's to close. */
    public Builder setCache(TrainingCache value) {
      checkUnset("cache", cache, value);
      cache = value;
      return this;
    }

    /**
     * States what the preprocessing is, in place of the fingerprint that is worked out of the
     * classes and fields of data set and transforms. Change it whenever the preprocessing changes:
     * samples stored under a tag are given out under it.
     */
    public Builder optPipelineTag(String tag) {
      checkUnset("pipelineTag", pipelineTag, tag);
      if (tag.isBlank()) {
        throw new IllegalArgumentException(
            "pipelineTag='%s' is blank, name a version".formatted(tag));
      }
      pipelineTag = tag;
      return this;
    }

    /**
     * States what the source is made of, such as a digest of its file list; a data set of the same
     * name with another source is refused by the node. By default only its length is compared.
     */
    public Builder optSourceDigest(String digest) {
      checkUnset("sourceDigest", sourceDigest, digest);
      sourceDigest = digest;
      return this;
    }

    /** The sampler to use where none is given to {@code getData}; by default the data set's. */
    public Builder optSampling(Sampler value) {
      checkUnset("sampling", sampler, value);
      sampler = value;
      return this;
    }

    /** Batches read ahead, 1–1,000; by default what the data set has set for itself. */
    public Builder optPrefetch(int batches) {
      checkUnset("prefetch", prefetch, batches);
      if (batches < 1 || batches > MAX_PREFETCH) {
        throw new IllegalArgumentException(
            "prefetch=%d batches, allowed: 1 to %d".formatted(batches, MAX_PREFETCH));
      }
      prefetch = batches;
      return this;
    }

    /**
     * Reads no further ahead than the batches fit into so many bytes, at least 1; by default only
     * their number counts. Batches of pipelines that are cut are read ahead by number alone.
     */
    public Builder optPrefetchBytes(long bytes) {
      checkUnset("prefetchBytes", prefetchBytes, bytes);
      if (bytes < 1) {
        throw new IllegalArgumentException("prefetchBytes=%d, allowed: 1 or more".formatted(bytes));
      }
      prefetchBytes = bytes;
      return this;
    }

    /** Says that random transforms, and all behind the first of them, run after every read. */
    public Builder optCut(Cut value) {
      checkUnset("cut", cut, value);
      if (Boolean.TRUE.equals(frozen)) {
        throw contradiction();
      }
      cut = value;
      return this;
    }

    /**
     * Says that one result of each random transform is meant to be stored and given out in every
     * epoch.
     */
    public Builder optFrozen(boolean value) {
      checkUnset("frozen", frozen, value);
      if (value && cut != null) {
        throw contradiction();
      }
      frozen = value;
      return this;
    }

    /**
     * Prepares the data set and opens it in the cache.
     *
     * @throws IllegalStateException if something required is missing
     * @throws IllegalArgumentException if the pipeline is random and neither {@code optCut} nor
     *     {@code optFrozen} is given, or cannot be seen through and has no tag
     * @throws io.trainingday.client.CacheException if the node refuses the data set
     */
    public CachedDataset build() throws IOException, TranslateException {
      RandomAccessDataset raw = required("setDataset", dataset);
      String datasetName = required("setName", name);
      TrainingCache node = required("setCache", cache);
      if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
        throw new IllegalStateException(
            "this machine is big-endian, on which DJL cannot read the cache's memory");
      }
      Pipeline whole = DjlInternals.setting(raw, "pipeline", Pipeline.class);
      int steps = whole == null ? 0 : whole.getTransforms().size();
      int stored = whole == null ? 0 : storedSteps(datasetName, whole);
      Pipeline beforeStore = part(whole, 0, stored);
      String extent = "transforms=" + stored + "/" + steps;
      String fingerprint =
          pipelineTag == null
              ? PipelineFingerprint.of(raw, beforeStore, extent)
              : PipelineFingerprint.ofTag(pipelineTag, extent);
      raw.prepare();
      DatasetSpec.Builder spec =
          DatasetSpec.builder(datasetName).pipeline(fingerprint).sourceLength(raw.size());
      if (sourceDigest != null) {
        spec.sourceDigest(sourceDigest);
      }
      return new CachedDataset(
          new Settings(raw, sampler, prefetch),
          raw,
          beforeStore,
          part(whole, stored, steps),
          node.open(spec.build()),
          prefetchBytes == null ? Long.MAX_VALUE : prefetchBytes);
    }

    /** How many of the transforms belong into the cache. */
    private int storedSteps(String datasetName, Pipeline whole) {
      List<Transform> transforms = whole.getTransforms();
      for (int i = 0; i < transforms.size(); i++) {
        String random = RandomParts.find(transforms.get(i));
        if (random == null || Boolean.TRUE.equals(frozen)) {
          continue;
        }
        if (cut == Cut.BEFORE_RANDOM) {
          return i;
        }
        throw new IllegalArgumentException(
            "data set '%s': transform %d of %d is random (%s), a cache would give out its first"
                    .formatted(datasetName, i + 1, transforms.size(), random)
                + " result forever; call optCut(Cut.BEFORE_RANDOM) to run it after every read, or"
                + " optFrozen(true) if that is meant");
      }
      return transforms.size();
    }

    private static @Nullable Pipeline part(@Nullable Pipeline whole, int from, int to) {
      return whole == null || from == to ? null : DjlInternals.part(whole, from, to);
    }

    private static <T> T required(String setter, @Nullable T value) {
      if (value == null) {
        throw new IllegalStateException("call %s(…) before build()".formatted(setter));
      }
      return value;
    }

    private static void checkUnset(String option, @Nullable Object old, Object value) {
      if (old != null) {
        throw new IllegalStateException("%s is set twice: %s and %s".formatted(option, old, value));
      }
    }

    private static IllegalStateException contradiction() {
      return new IllegalStateException(
          "cut and frozen=true exclude each other: random transforms run after every read, or not");
    }
  }

  /** The settings of the data set within, except its transforms of data, which are in the cache. */
  private static final class Settings extends BaseBuilder<Settings> {
    Settings(RandomAccessDataset raw, @Nullable Sampler sampler, @Nullable Integer prefetch) {
      Sampler own = DjlInternals.setting(raw, "sampler", Sampler.class);
      Batchifier data = DjlInternals.setting(raw, "dataBatchifier", Batchifier.class);
      Batchifier labels = DjlInternals.setting(raw, "labelBatchifier", Batchifier.class);
      Pipeline target = DjlInternals.setting(raw, "targetPipeline", Pipeline.class);
      Integer ahead = DjlInternals.setting(raw, "prefetchNumber", Integer.class);
      Device device = DjlInternals.setting(raw, "device", Device.class);
      if (sampler != null) {
        setSampling(sampler);
      } else if (own != null) {
        setSampling(own);
      }
      if (data != null) {
        optDataBatchifier(data);
      }
      if (labels != null) {
        optLabelBatchifier(labels);
      }
      if (target != null) {
        optTargetPipeline(target);
      }
      if (device != null) {
        optDevice(device);
      }
      int batches = prefetch != null ? prefetch : ahead == null ? 1 : ahead;
      optPrefetchNumber(Math.max(1, Math.min(MAX_PREFETCH, batches)));
    }

    @Override
    protected Settings self() {
      return this;
    }
  }
}
