package io.trainingday.record;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.ByteBufferInput;
import com.esotericsoftware.kryo.io.ByteBufferOutput;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The record as Kryo reads and writes it. Only over ByteBuffer inputs and outputs that end with the
 * record: bodies are copied or viewed in one piece.
 */
final class RecordSerializer extends Serializer<RecordSerializer.LaidOut> {
  /** A record with its layout, which the caller needs first to make room. */
  record LaidOut(SampleRecord record, RecordLayout layout) {}

  RecordSerializer() {
    super(false, true);
  }

  @Override
  public void write(Kryo kryo, Output output, LaidOut laidOut) {
    ByteBufferOutput out = (ByteBufferOutput) output;
    int start = out.position();
    RecordLayout layout = laidOut.layout();
    Descriptor.write(out, layout);
    for (int i = 0; i < layout.fields().size(); i++) {
      Descriptor.writeZeros(out, layout.fields().get(i).offset() - (out.position() - start));
      ByteBuffer target = out.getByteBuffer();
      target.put(laidOut.record().fields().get(i).data());
      out.setPosition(target.position());
    }
    // Over what was written, not over the sources: they may be changing.
    int crc = new RecordChecksum().compute(out.getByteBuffer(), start, layout.recordLength());
    int end = out.position();
    out.setPosition(start + RecordLayout.CRC_AT);
    out.writeInt(crc);
    out.setPosition(end);
  }

  @Override
  public LaidOut read(Kryo kryo, Input input, Class<? extends LaidOut> type) {
    ByteBuffer bytes = ((ByteBufferInput) input).getByteBuffer().slice();
    RecordLayout layout = RecordLayout.parse(bytes, bytes.remaining());
    List<SampleRecord.Field> fields = new ArrayList<>(layout.fields().size());
    int end = layout.bodyStart();
    for (RecordLayout.Field field : layout.fields()) {
      Descriptor.checkZeros(bytes, end, field.offset(), "gap");
      end = field.offset() + field.length();
      fields.add(
          new SampleRecord.Field(
              field.name(),
              field.dtype(),
              field.shape(),
              bytes.slice(field.offset(), field.length())));
    }
    input.setPosition(input.limit());
    return new LaidOut(
        new SampleRecord(fields, layout.attributes(), layout.sourceStamp(), layout.createdMillis()),
        layout);
  }
}
