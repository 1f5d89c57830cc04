package io.trainingday.node.versions;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.node.versions.DatasetUsage.Held;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.UUID;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** Administration by way of the version keys. */
public final class DatasetAdmin implements AdminApi {
  private static final JsonMapper JSON = new JsonMapper();

  private final VersionKeys versions;
  private final DatasetUsage usage;
  private final LongConsumer whenConfigured;

  /** Where nobody has to be told of settings. */
  DatasetAdmin(VersionKeys versions, DatasetUsage usage) {
    this(versions, usage, unused -> {});
  }

  /**
   * @param whenConfigured told the hash of a data set whose settings have changed; returns when all
   *     nodes know
   */
  public DatasetAdmin(VersionKeys versions, DatasetUsage usage, LongConsumer whenConfigured) {
    this.versions = versions;
    this.usage = usage;
    this.whenConfigured = whenConfigured;
  }

  @Override
  public SortedMap<String, String> configure(
      String tenant, String name, Map<String, String> settings) {
    SortedMap<String, String> all = versions.change(tenant, name, settings);
    whenConfigured.accept(versions.datasetHash(tenant, name));
    return all;
  }

  @Override
  public long publish(
      String tenant, String name, String requestId, Optional<SourceIdentity> newSource) {
    return versions.publish(tenant, name, requestId, newSource);
  }

  @Override
  public long publishChanged(String tenant, String name, String requestId, long[] indices) {
    return versions.publishChanged(tenant, name, requestId, indices);
  }

  @Override
  public long publishManifest(
      String tenant, String name, String requestId, long[] indices, String[] stamps) {
    return versions.publishManifest(tenant, name, requestId, indices, stamps);
  }

  @Override
  public long invalidate(String tenant, String name, long[] indices) {
    return versions.publishChanged(tenant, name, UUID.randomUUID().toString(), indices);
  }

  /** One data set of {@link #datasetsJson}; the names of the components are the keys. */
  private record Dataset(
      String name,
      long generation,
      long floor,
      String incarnation,
      Source source,
      SortedMap<String, String> settings,
      List<PipelineOf> pipelines,
      long samples,
      int copies,
      long entries,
      long bytes,
      List<String> hosts) {}

  private record Source(long length, String digest) {}

  private record PipelineOf(String fingerprint, String schema, long entries) {}

  /**
   * {@inheritDoc}
   *
   * <p>Of each: {@code name}, {@code generation}, {@code floor}, {@code incarnation}, {@code
   * source} with {@code length} and {@code digest}, {@code settings}, {@code pipelines} with {@code
   * fingerprint}, {@code schema} (a line a field, empty before the first record) and {@code
   * entries}, {@code samples} the source has, {@code copies} of each record there can be, {@code
   * entries}, {@code bytes}, {@code hosts}; sorted by name.
   */
  @Override
  public String datasetsJson(String tenant) {
    Checks.tenant(tenant);
    Map<Long, Held> held = usage.held();
    Map<String, List<PipelineOf>> pipelines = pipelines(held);
    List<Dataset> datasets = new ArrayList<>();
    String prefix = tenant + "/";
    versions
        .store()
        .allKeys()
        .forEach(
            (hash, key) -> {
              if (key.scopedName().startsWith(prefix)) {
                datasets.add(
                    dataset(
                        key.scopedName().substring(prefix.length()),
                        key,
                        pipelines.get(MetaStore.hex(hash)),
                        held.getOrDefault(hash, Held.NOTHING)));
              }
            });
    datasets.sort(Comparator.comparing(Dataset::name));
    try {
      return JSON.writeValueAsString(datasets);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("data sets that are no JSON: " + datasets, impossible);
    }
  }

  private Dataset dataset(
      String name, VersionKey key, @Nullable List<PipelineOf> pipelines, Held held) {
    List<PipelineOf> sorted = new ArrayList<>(pipelines == null ? List.of() : pipelines);
    sorted.sort(Comparator.comparing(PipelineOf::fingerprint));
    return new Dataset(
        name,
        key.generation(),
        SampleVersion.generation(key.floor()),
        MetaStore.hex(key.incarnation()),
        new Source(key.source().length(), key.source().digest()),
        versions.withDefaults(key.settings()),
        sorted,
        key.source().length(),
        copies(versions.withDefaults(key.settings()).get("backups"), held),
        held.entries(),
        held.bytes(),
        held.hosts().stream().sorted().toList());
  }

  /** No node holds two copies of one record. */
  private static int copies(@Nullable String backups, Held held) {
    int wanted = 1 + Integer.parseInt(backups == null ? "0" : backups);
    return Math.max(1, Math.min(wanted, held.nodes().size()));
  }

  /** By the digits of the data set's hash. */
  private Map<String, List<PipelineOf>> pipelines(Map<Long, Held> held) {
    Map<String, Long> entries = new HashMap<>();
    held.forEach(
        (dataset, of) ->
            of.pipelines()
                .forEach(
                    (pipeline, records) ->
                        entries.put(MetaStore.pipelineKey(dataset, pipeline), records)));
    Map<String, List<PipelineOf>> pipelines = new HashMap<>();
    versions
        .store()
        .allPipelines()
        .forEach(
            (key, pipeline) -> {
              Pipeline.Schema schema = pipeline.schema();
              pipelines
                  .computeIfAbsent(key.substring(0, key.indexOf('/')), d -> new ArrayList<>())
                  .add(
                      new PipelineOf(
                          pipeline.fingerprint(),
                          schema == null ? "" : schema.description(),
                          entries.getOrDefault(key, 0L)));
            });
    return pipelines;
  }
}
