package io.trainingday.node.versions;

import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/**
 * What is current for one data set, immutable. The rules of section "versions" live here and know
 * no grid.
 *
 * @param scopedName tenant, a slash, the data set's name
 * @param incarnation random, drawn when the key was made
 * @param generation counts publishes, from 0
 * @param floor every sample's {@link SampleVersion} is at least this
 * @param pipelines how many pipelines were ever registered
 * @param requests the last publishes, oldest first
 * @param revision counts the changes of its settings and of what is kept beside the version key:
 *     pipelines and their schemas, the manifest
 */
record VersionKey(
    String scopedName,
    long incarnation,
    long generation,
    long floor,
    SourceIdentity source,
    SortedMap<String, String> settings,
    int pipelines,
    List<Request> requests,
    ChangedSets changed,
    long revision) {

  /**
   * A publish that was made.
   *
   * @param content hash of what it said, to tell a repeated request from a reused id
   * @param generation the generation it made
   */
  record Request(String id, long content, long generation) {
    /** Of the samples it changed. */
    long version() {
      return SampleVersion.of(generation, id);
    }
  }

  /** Requests remembered; a publisher that repeats one does so within a few. */
  static final int MAX_REQUESTS = 16;

  VersionKey {
    settings = Collections.unmodifiableSortedMap(new TreeMap<>(settings));
    requests = List.copyOf(requests);
  }

  static VersionKey first(
      String scopedName, long incarnation, SourceIdentity source, Map<String, String> settings) {
    return new VersionKey(
        scopedName,
        incarnation,
        0,
        0,
        source,
        new TreeMap<>(settings),
        0,
        List.of(),
        ChangedSets.NONE,
        0);
  }

  /** Refuses another name with the same hash. */
  void requireName(String name) {
    if (!scopedName.equals(name)) {
      throw new DatasetRefusedException(
          Reason.COLLISION,
          "data sets \"%s\" and \"%s\" have the same 64-bit hash, take another name"
              .formatted(name, scopedName));
    }
  }

  /** {@code max(floor, version of the newest changed-set that contains index)}. */
  long sampleVersion(long index) {
    return changed.version(index, floor);
  }

  /** The generation that request {@code id} made, or null if it is new. */
  @Nullable Long generationOf(String id, long content) {
    for (Request request : requests) {
      if (request.id.equals(id)) {
        if (request.content != content) {
          throw new DatasetRefusedException(
              Reason.REQUEST_REUSED,
              "request id \"%s\" already made generation %d of data set \"%s\" with another content, take a new id for a new publish"
                  .formatted(id, request.generation, scopedName));
        }
        return request.generation;
      }
    }
    return null;
  }

  /** After a publish of a new source: every sample changed. */
  VersionKey published(Request request, SourceIdentity newSource) {
    return next(request, request.version(), newSource, ChangedSets.NONE);
  }

  /** After a publish of single samples. */
  VersionKey changed(Request request, Roaring64NavigableMap indices, int maxSets) {
    return next(request, floor, source, changed.with(request.version(), indices, maxSets));
  }

  /**
   * The same with every sample's version raised to that of the last publish: what is left to do
   * when the changed-sets outgrow their limit. Causes loads of the whole data set.
   */
  VersionKey collapsed() {
    return new VersionKey(
        scopedName,
        incarnation,
        generation,
        requests.isEmpty() ? floor : requests.get(requests.size() - 1).version(),
        source,
        settings,
        pipelines,
        requests,
        ChangedSets.NONE,
        revision);
  }

  VersionKey withOnePipelineMore() {
    return beside(pipelines + 1);
  }

  /** After something changed that is kept beside it. */
  VersionKey revised() {
    return beside(pipelines);
  }

  private VersionKey beside(int newPipelines) {
    return new VersionKey(
        scopedName,
        incarnation,
        generation,
        floor,
        source,
        settings,
        newPipelines,
        requests,
        changed,
        revision + 1);
  }

  /** With some settings changed, of those that may change. */
  VersionKey withSettings(Map<String, String> changes) {
    SortedMap<String, String> changed = new TreeMap<>(settings);
    changed.putAll(changes);
    return new VersionKey(
        scopedName,
        incarnation,
        generation,
        floor,
        source,
        changed,
        pipelines,
        requests,
        this.changed,
        revision + 1);
  }

  private VersionKey next(
      Request request, long newFloor, SourceIdentity newSource, ChangedSets newChanged) {
    if (request.generation != generation + 1) {
      throw new IllegalArgumentException(
          "generation %d cannot follow %d".formatted(request.generation, generation));
    }
    List<Request> newRequests = new ArrayList<>(requests);
    newRequests.add(request);
    if (newRequests.size() > MAX_REQUESTS) {
      newRequests.remove(0);
    }
    return new VersionKey(
        scopedName,
        incarnation,
        request.generation,
        newFloor,
        newSource,
        settings,
        pipelines,
        newRequests,
        newChanged,
        revision);
  }
}
