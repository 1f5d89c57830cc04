package io.trainingday.node.versions;

import io.trainingday.node.versions.ChangedSets.ChangedSet;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.VersionKey.Request;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/**
 * The bytes under which version keys and pipelines are stored.
 *
 * <p>Plain bytes and not a class of ours: nodes of two releases share the cache during a rolling
 * upgrade, and so neither needs the other's classes or Ignite's binary metadata, nothing is
 * deserialised by name, and the bytes can be written to disk as they are. The first two bytes are
 * the layout's number. A release that adds something writes the old layout until every node can
 * read the new one; a node that meets a newer layout refuses the data set, for half-understood
 * versions would mean stale samples.
 *
 * <p>Numbers are big-endian; a text is a 32-bit length and UTF-8; a list is a 32-bit count and its
 * elements; a set of indices is a 32-bit length and Roaring's portable 64-bit format.
 *
 * <pre>
 * version key: u16 layout | text scoped name | i64 incarnation | i64 generation | i64 floor
 *              | i64 source length | text source digest | list of settings (text, text)
 *              | u32 pipelines | list of requests (text id, i64 content, i64 generation)
 *              | list of changed-sets, newest first (i64 sample version, indices) | i64 revision
 * pipeline:    u16 layout | text fingerprint | u8 schema known
 *              [| i64 incarnation | i64 floor | i64 family | text description]
 * </pre>
 */
final class Layout {
  private static final int VERSION_KEY = 1;
  private static final int PIPELINE = 1;

  private Layout() {}

  static byte[] encode(VersionKey key) {
    return bytes(
        out -> {
          out.writeShort(VERSION_KEY);
          writeText(out, key.scopedName());
          out.writeLong(key.incarnation());
          out.writeLong(key.generation());
          out.writeLong(key.floor());
          out.writeLong(key.source().length());
          writeText(out, key.source().digest());
          out.writeInt(key.settings().size());
          for (var setting : key.settings().entrySet()) {
            writeText(out, setting.getKey());
            writeText(out, setting.getValue());
          }
          out.writeInt(key.pipelines());
          out.writeInt(key.requests().size());
          for (Request request : key.requests()) {
            writeText(out, request.id());
            out.writeLong(request.content());
            out.writeLong(request.generation());
          }
          out.writeInt(key.changed().newestFirst().size());
          for (ChangedSet set : key.changed().newestFirst()) {
            out.writeLong(set.version());
            writeBytes(out, encode(set.indices()));
          }
          out.writeLong(key.revision());
        });
  }

  static byte[] encode(Roaring64NavigableMap indices) {
    return bytes(indices::serializePortable);
  }

  static VersionKey decodeVersionKey(byte[] bytes) {
    return parse(
        "version key",
        bytes,
        VERSION_KEY,
        in -> {
          String scopedName = readText(in);
          long incarnation = in.readLong();
          long generation = in.readLong();
          long floor = in.readLong();
          SourceIdentity source = new SourceIdentity(in.readLong(), readText(in));
          SortedMap<String, String> settings = new TreeMap<>();
          for (int left = in.readInt(); left > 0; left--) {
            settings.put(readText(in), readText(in));
          }
          int pipelines = in.readInt();
          List<Request> requests = new ArrayList<>();
          for (int left = in.readInt(); left > 0; left--) {
            requests.add(new Request(readText(in), in.readLong(), in.readLong()));
          }
          List<ChangedSet> sets = new ArrayList<>();
          for (int left = in.readInt(); left > 0; left--) {
            sets.add(new ChangedSet(in.readLong(), decodeIndices(readBytes(in))));
          }
          return new VersionKey(
              scopedName,
              incarnation,
              generation,
              floor,
              source,
              settings,
              pipelines,
              requests,
              ChangedSets.of(sets),
              in.readLong());
        });
  }

  static byte[] encode(Pipeline pipeline) {
    return bytes(
        out -> {
          out.writeShort(PIPELINE);
          writeText(out, pipeline.fingerprint());
          Pipeline.Schema schema = pipeline.schema();
          out.writeBoolean(schema != null);
          if (schema != null) {
            out.writeLong(schema.incarnation());
            out.writeLong(schema.floor());
            out.writeLong(schema.family());
            writeText(out, schema.description());
          }
        });
  }

  static Pipeline decodePipeline(byte[] bytes) {
    return parse(
        "pipeline",
        bytes,
        PIPELINE,
        in -> {
          String fingerprint = readText(in);
          Pipeline.Schema schema =
              in.readBoolean()
                  ? new Pipeline.Schema(in.readLong(), in.readLong(), in.readLong(), readText(in))
                  : null;
          return new Pipeline(fingerprint, schema);
        });
  }

  /** A list of pipelines by {@link MetaStore#pipelineKey}: text key, bytes. */
  static byte[] encodePipelines(Map<String, byte[]> pipelines) {
    return bytes(
        out -> {
          out.writeInt(pipelines.size());
          for (var pipeline : new TreeMap<>(pipelines).entrySet()) {
            writeText(out, pipeline.getKey());
            writeBytes(out, pipeline.getValue());
          }
        });
  }

  static Map<String, byte[]> decodePipelines(byte[] bytes) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      Map<String, byte[]> pipelines = new TreeMap<>();
      for (int left = in.readInt(); left > 0; left--) {
        pipelines.put(readText(in), readBytes(in));
      }
      return pipelines;
    } catch (IOException e) {
      throw new IllegalStateException(
          "pipelines of %d bytes are damaged: %s".formatted(bytes.length, e), e);
    }
  }

  private static Roaring64NavigableMap decodeIndices(byte[] bytes) throws IOException {
    Roaring64NavigableMap indices = new Roaring64NavigableMap();
    indices.deserializePortable(new DataInputStream(new ByteArrayInputStream(bytes)));
    return indices;
  }

  private interface Writer {
    void write(DataOutputStream out) throws IOException;
  }

  private interface Parser<T> {
    T parse(DataInputStream in) throws IOException;
  }

  private static byte[] bytes(Writer writer) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      writer.write(out);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return bytes.toByteArray();
  }

  static DatasetRefusedException newer(String what, int layout, int known) {
    return new DatasetRefusedException(
        Reason.NEWER_LAYOUT,
        "%s has layout %d, this node reads %d, upgrade this node".formatted(what, layout, known));
  }

  private static <T> T parse(String what, byte[] bytes, int known, Parser<T> parser) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      int layout = in.readUnsignedShort();
      if (layout != known) {
        throw newer(what, layout, known);
      }
      return parser.parse(in);
    } catch (IOException e) {
      throw new IllegalStateException(
          "%s of %d bytes is damaged: %s".formatted(what, bytes.length, e), e);
    }
  }

  private static void writeText(DataOutputStream out, String text) throws IOException {
    writeBytes(out, text.getBytes(StandardCharsets.UTF_8));
  }

  private static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static String readText(DataInputStream in) throws IOException {
    return new String(readBytes(in), StandardCharsets.UTF_8);
  }

  private static byte[] readBytes(DataInputStream in) throws IOException {
    int length = in.readInt();
    // available() is exact on an array: no length is believed before the bytes are there.
    if (length < 0 || length > in.available()) {
      throw new EOFException("length=%d > %d bytes left".formatted(length, in.available()));
    }
    return in.readNBytes(length);
  }
}
