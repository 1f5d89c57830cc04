package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.DatasetSettings;
import io.trainingday.node.versions.DatasetView;
import io.trainingday.node.versions.OpenDataset;
import io.trainingday.node.versions.SourceIdentity;
import io.trainingday.record.RecordLayout;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A data set as one connection has opened it: its versions, and what the lane has learned of its
 * records. Safe for any number of threads.
 */
final class ServedDataset {
  private final OpenDataset dataset;
  private final RecordStore store;
  private final ReadCounters counters;
  private final boolean verify;
  private final boolean stamped;
  private final long maxAgeMillis;
  private final long sourceLength;
  private final String name;
  private volatile @Nullable RecordLayout expectedLayout;

  private ServedDataset(
      OpenDataset dataset,
      RecordStore store,
      ReadCounters counters,
      long sourceLength,
      String name) {
    this.name = name;
    this.sourceLength = sourceLength;
    this.dataset = dataset;
    this.store = store;
    this.counters = counters;
    String validation = dataset.settings().get(DatasetSettings.VALIDATION);
    this.verify = !text(Settings.Validation.NONE).equals(validation);
    this.stamped = text(Settings.Validation.STAMP).equals(validation);
    this.maxAgeMillis =
        DatasetSettings.maxAge(dataset.settings()).map(Duration::toMillis).orElse(-1L);
  }

  /**
   * Opens; blocks for a transaction of the grid.
   *
   * @param own what the node's settings say about it, null for nothing
   * @param counters asked for once it is sure that there is such a data set
   * @throws LaneException REFUSED when source, settings or pipeline do not fit what is kept
   */
  static ServedDataset open(
      Grant grant,
      LaneMessage.Open request,
      Settings.@Nullable Dataset own,
      LaneServices services,
      Supplier<ReadCounters> counters) {
    Map<String, String> stated = stated(request, own);
    requireDisk(request.name(), tier(stated), services);
    try {
      OpenDataset dataset =
          services
              .versions()
              .open(
                  grant.tenant(),
                  request.name(),
                  new SourceIdentity(request.sourceLength(), request.sourceDigest()),
                  request.pipeline(),
                  stated);
      String backups = dataset.settings().getOrDefault(DatasetSettings.BACKUPS, "0");
      Tier tier = tier(dataset.settings());
      requireDisk(request.name(), tier, services);
      RecordStore store = services.stores().of(Integer.parseInt(backups), tier);
      services.reads().opened(dataset.datasetHash());
      return new ServedDataset(
          dataset, store, counters.get(), request.sourceLength(), request.name());
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  private static Tier tier(Map<String, String> settings) {
    return Tier.valueOf(
        settings.getOrDefault(DatasetSettings.TIER, text(Tier.MEMORY)).toUpperCase(Locale.ROOT));
  }

  private static void requireDisk(String name, Tier tier, LaneServices services) {
    if (tier.onDisk() && !services.stores().onDisk()) {
      throw new LaneException(
          Code.REFUSED,
          "data set \"%s\" has tier=%s, but this node has no disk tier, allowed: memory; set disk.path on every node, or datasets.%s.tier=memory"
              .formatted(name, text(tier), name));
    }
  }

  /** What the settings say about the data set, else what its opener says. */
  private static Map<String, String> stated(
      LaneMessage.Open request, Settings.@Nullable Dataset own) {
    Map<String, String> asked = new HashMap<>();
    if (!request.validation().isEmpty()) {
      asked.put(DatasetSettings.VALIDATION, request.validation());
    }
    if (request.backups() != LaneMessage.Open.BACKUPS_AS_KEPT) {
      asked.put(DatasetSettings.BACKUPS, Integer.toString(request.backups()));
    }
    if (own == null) {
      return asked;
    }
    Map<String, String> set = DatasetSettings.of(own);
    asked.forEach(
        (setting, value) -> {
          if (!value.equals(set.get(setting))) {
            throw new LaneException(
                Code.REFUSED,
                "data set \"%s\" is opened with %s=%s, but datasets.%s.%s=%s in the node's settings; drop one of them"
                    .formatted(
                        request.name(), setting, value, request.name(), setting, set.get(setting)));
          }
        });
    return set;
  }

  static String text(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT);
  }

  RecordStore store() {
    return store;
  }

  ReadCounters counters() {
    return counters;
  }

  /** Whether records are checked against their checksum after each copy. */
  boolean verify() {
    return verify;
  }

  /**
   * What records must be like to be served now.
   *
   * @param stamps of a READ
   * @throws LaneException REFUSED when they are needed and not there
   */
  Freshness freshness(long[] stamps) {
    if (stamped && stamps.length == 0) {
      throw new LaneException(
          Code.REFUSED,
          "data set \"%s\" has validation=stamp, but this READ states no stamps; give the client a stamp for each index, or set datasets.<name>.validation=checksum"
              .formatted(dataset.scopedName()));
    }
    long oldest = maxAgeMillis < 0 ? PeerRead.ANY_AGE : System.currentTimeMillis() - maxAgeMillis;
    return new Freshness(oldest, stamps);
  }

  /** As its opener named it, without the tenant. */
  String name() {
    return name;
  }

  /** On how many nodes beside the first its records are kept. */
  int backups() {
    return Integer.parseInt(dataset.settings().getOrDefault(DatasetSettings.BACKUPS, "0"));
  }

  /** The hash of its name in keys. */
  long hash() {
    return dataset.datasetHash();
  }

  /** Samples in its source, as this connection has opened it. */
  long sourceLength() {
    return sourceLength;
  }

  long incarnation() {
    return view().incarnation();
  }

  long generation() {
    return view().generation();
  }

  /**
   * The state of the versions a batch was resolved against.
   *
   * @param servable whether this node may serve it: else everything is missing, without leases
   */
  record Resolved(long generation, boolean servable) {}

  /**
   * Resolves a whole batch against one state of the versions.
   *
   * @throws LaneException REFUSED when an index is out of range
   */
  Resolved keys(LaneMessage.Read request, SampleKey[] keys) {
    long[] indices = request.indices();
    try {
      DatasetView current = dataset.servableView();
      DatasetView view = current == null ? dataset.view() : current;
      for (int i = 0; i < indices.length; i++) {
        keys[i] = dataset.key(view, indices[i], request.variantOf(i));
      }
      return new Resolved(view.generation(), current != null);
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /**
   * The key of a record of a version told before, with its lease.
   *
   * @throws LaneException REFUSED when the index is out of range
   */
  SampleKey key(long index, int variant, long sampleVersion) {
    try {
      return dataset.keyAt(view(), sampleVersion, index, variant);
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /**
   * The key of a sample's current record as this node knows it.
   *
   * @throws LaneException REFUSED when the index is out of range
   */
  SampleKey key(long index, int variant) {
    try {
      return dataset.key(view(), index, variant);
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /**
   * Whether the record's schema is known to be right; waits for nobody.
   *
   * @throws LaneException REFUSED when the data set was dropped, or its source replaced
   */
  boolean knowsSchema(RecordLayout layout) {
    try {
      return dataset.knowsSchema(layout.familyHash());
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /**
   * Checks a record's schema against the pipeline's; blocks for the grid.
   *
   * @throws LaneException REFUSED when its fields differ, naming them
   */
  void learnSchema(RecordLayout layout) {
    try {
      dataset.checkSchema(
          layout.familyHash(),
          layout.fields().stream()
              .map(
                  field ->
                      "%s: %s, %d dimensions"
                          .formatted(
                              field.name(),
                              field.dtype().name().toLowerCase(Locale.ROOT),
                              field.rank()))
              .collect(Collectors.joining("\n")));
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /** The layout most records have; a guess that makes reading fast. */
  @Nullable RecordLayout expectedLayout() {
    return expectedLayout;
  }

  void expectLayout(RecordLayout layout) {
    expectedLayout = layout;
  }

  private DatasetView view() {
    try {
      return dataset.view();
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  private static LaneException refusal(DatasetRefusedException e) {
    return new LaneException(Code.REFUSED, String.valueOf(e.getMessage()));
  }
}
