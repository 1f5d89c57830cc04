package io.trainingday.client;

import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * A program that reads data sets from a node and writes each to another one, named with {@code
 * -java} behind. Every record is made anew from its values, as any record of a Java trainer is. The
 * tests of other clients run it to see that what they write is what Java reads, and the other way
 * round.
 *
 * <p>Arguments: the node's address, the pipeline, then a name and a length for each data set.
 */
final class RecordRelay {
  private static final RecordCodec CODEC = RecordCodec.create();

  private RecordRelay() {}

  public static void main(String[] arguments) {
    TrainingCache.Config config = TrainingCache.Config.builder().address(arguments[0]).build();
    try (TrainingCache cache = TrainingCache.connect(config)) {
      for (int k = 2; k < arguments.length; k += 2) {
        relay(cache, arguments[k], arguments[1], Long.parseLong(arguments[k + 1]));
      }
    }
  }

  private static void relay(TrainingCache cache, String name, String pipeline, long length) {
    long[] all = LongStream.range(0, length).toArray();
    try (CachedSamples from = cache.open(spec(name, pipeline, length));
        CachedSamples to = cache.open(spec(name + "-java", pipeline, length));
        SampleBatch read = from.read(all, ReadShape.RECORDS)) {
      if (read.missing() > 0) {
        throw new IllegalStateException(
            "%d of %d samples of %s are not in the cache".formatted(read.missing(), length, name));
      }
      to.read(all, ReadShape.RECORDS, index -> madeAnew(read.record((int) index))).close();
    }
  }

  private static DatasetSpec spec(String name, String pipeline, long length) {
    return DatasetSpec.builder(name).pipeline(pipeline).sourceLength(length).build();
  }

  private static SampleRecord madeAnew(SampleRecord read) {
    SampleRecord.Builder made =
        SampleRecord.builder().sourceStamp(read.sourceStamp()).createdMillis(read.createdMillis());
    for (SampleRecord.Field field : read.fields()) {
      String name = field.name();
      if (field.dtype() == DType.UTF8) {
        made.utf8(name, read.utf8(name));
      } else if (field.dtype() == DType.BYTES) {
        made.bytes(name, read.bytes(name));
      } else if (field.dtype() == DType.KRYO) {
        made.object(name, read.object(name, CODEC), CODEC);
      } else {
        made.tensor(name, field.dtype(), field.shape(), field.data());
      }
    }
    for (Map.Entry<String, Object> attribute : read.attributes().entrySet()) {
      String name = attribute.getKey();
      if (attribute.getValue() instanceof Long value) {
        made.attribute(name, value);
      } else if (attribute.getValue() instanceof Double value) {
        made.attribute(name, value);
      } else if (attribute.getValue() instanceof Boolean value) {
        made.attribute(name, value);
      } else {
        made.attribute(name, (String) attribute.getValue());
      }
    }
    return made.build();
  }
}
