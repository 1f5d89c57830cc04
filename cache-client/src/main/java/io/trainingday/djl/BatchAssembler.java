package io.trainingday.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Pipeline;
import ai.djl.translate.StackBatchifier;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.UUID;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Makes DJL batches of what was read from the cache, as DJL's own iteration makes them of records.
 *
 * <p>Where each field only has to be stacked, the batch's arrays lie over the memory that was read,
 * one array a field. Otherwise each sample's arrays lie over it, go through the transforms that are
 * left, and are put together by the data set's batchifier. Either way that memory belongs to the
 * batch's manager and is given back when that is closed.
 */
final class BatchAssembler {
  private final Batchifier dataBatchifier;
  private final Batchifier labelBatchifier;
  private final @Nullable Pipeline afterRead;
  private final @Nullable Pipeline targetPipeline;
  private final @Nullable Device device;
  private final long datasetSize;

  /**
   * Takes the settings of the data set that is cached.
   *
   * @param afterRead the transforms that are not in the cache
   */
  BatchAssembler(RandomAccessDataset raw, @Nullable Pipeline afterRead) {
    Batchifier data = DjlInternals.setting(raw, "dataBatchifier", Batchifier.class);
    Batchifier labels = DjlInternals.setting(raw, "labelBatchifier", Batchifier.class);
    dataBatchifier = data == null ? Batchifier.STACK : data;
    labelBatchifier = labels == null ? Batchifier.STACK : labels;
    targetPipeline = DjlInternals.setting(raw, "targetPipeline", Pipeline.class);
    device = DjlInternals.setting(raw, "device", Device.class);
    this.afterRead = afterRead;
    datasetSize = raw.size();
  }

  /** How the samples have to be read for {@link #batch}. */
  ReadShape shape() {
    boolean stacksOnly =
        dataBatchifier.getClass() == StackBatchifier.class
            && labelBatchifier.getClass() == StackBatchifier.class;
    return stacksOnly && afterRead == null ? ReadShape.COLLATED : ReadShape.RECORDS;
  }

  /**
   * Makes a batch, or gives the samples back if it cannot.
   *
   * @param samples taken over
   * @param progress samples handed out up to the end of this batch
   */
  Batch batch(SampleBatch samples, NDManager parent, long progress) {
    NDManager manager = owner(samples, parent);
    try {
      Record arrays =
          samples.shape() == ReadShape.COLLATED
              ? overSlot(samples, manager)
              : made(samples, manager);
      NDList data = arrays.getData();
      // DJL transforms the labels of the batch, not of each sample.
      NDList labels =
          targetPipeline == null
              ? arrays.getLabels()
              : targetPipeline.transform(arrays.getLabels());
      if (device != null) {
        data = data.toDevice(device, false);
        labels = labels.toDevice(device, false);
      }
      List<Long> indices =
          LongStream.range(0, samples.size()).mapToObj(i -> samples.index((int) i)).toList();
      return new Batch(
          manager,
          data,
          labels,
          samples.size(),
          dataBatchifier,
          labelBatchifier,
          progress,
          datasetSize,
          indices);
    } catch (RuntimeException e) {
      manager.close();
      throw e;
    }
  }

  /**
   * One sample in memory of its own, whatever becomes of the batch it was read in.
   *
   * @param samples a batch of one record
   */
  Record single(SampleBatch samples, NDManager manager) {
    Record sample = new Record(new NDList(), new NDList());
    for (SampleRecord.Field field : samples.record(0).fields()) {
      ByteBuffer bytes = field.data();
      ByteBuffer copy = ByteBuffer.allocateDirect(bytes.remaining()).put(bytes).flip();
      add(
          sample,
          field.name(),
          Tensors.toArray(manager, field.name(), field.dtype(), field.shape(), copy));
    }
    return transformed(sample);
  }

  private static NDManager owner(SampleBatch samples, NDManager parent) {
    try {
      NDManager manager = parent.newSubManager();
      manager.attachInternal(UUID.randomUUID().toString(), samples);
      return manager;
    } catch (RuntimeException e) {
      samples.close();
      throw e;
    }
  }

  private static Record overSlot(SampleBatch samples, NDManager manager) {
    Record batch = new Record(new NDList(), new NDList());
    for (SampleBatch.Field field : samples.fields()) {
      add(
          batch,
          field.name(),
          Tensors.toArray(manager, field.name(), field.dtype(), field.shape(), field.data()));
    }
    return batch;
  }

  private Record made(SampleBatch samples, NDManager manager) {
    NDList[] data = new NDList[samples.size()];
    NDList[] labels = new NDList[samples.size()];
    try (NDManager parts = manager.newSubManager()) {
      for (int i = 0; i < data.length; i++) {
        Record sample = new Record(new NDList(), new NDList());
        for (SampleRecord.Field field : samples.record(i).fields()) {
          add(
              sample,
              field.name(),
              Tensors.toArray(parts, field.name(), field.dtype(), field.shape(), field.data()));
        }
        sample = transformed(sample);
        data[i] = sample.getData();
        labels[i] = sample.getLabels();
      }
      NDList batchData = dataBatchifier.batchify(data);
      NDList batchLabels = labelBatchifier.batchify(labels);
      batchData.attach(manager);
      batchLabels.attach(manager);
      return new Record(batchData, batchLabels);
    }
  }

  private Record transformed(Record sample) {
    return afterRead == null
        ? sample
        : new Record(afterRead.transform(sample.getData()), sample.getLabels());
  }

  private static void add(Record target, String field, NDArray array) {
    (Tensors.isData(field) ? target.getData() : target.getLabels()).add(array);
  }
}
