package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.DatasetSettings;
import io.trainingday.node.versions.DatasetView;
import io.trainingday.node.versions.OpenDataset;
import io.trainingday.node.versions.SourceIdentity;
import io.trainingday.record.RecordLayout;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
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
  private final long sourceLength;
  private volatile @Nullable RecordLayout expectedLayout;
  private volatile @Nullable KnownSchema knownSchema;

  /** A schema that was found right, and the state of the data set in which it was. */
  private record KnownSchema(long incarnation, long floor, long family) {
    boolean holds(DatasetView view, long otherFamily) {
      return family == otherFamily && incarnation == view.incarnation() && floor == view.floor();
    }
  }

  private ServedDataset(
      OpenDataset dataset, RecordStore store, ReadCounters counters, long sourceLength) {
    this.sourceLength = sourceLength;
    this.dataset = dataset;
    this.store = store;
    this.counters = counters;
    this.verify =
        !text(Settings.Validation.NONE).equals(dataset.settings().get(DatasetSettings.VALIDATION));
  }

  /**
   * Opens; blocks for a transaction of the grid.
   *
   * @throws LaneException REFUSED when source, settings or pipeline do not fit what is kept
   */
  static ServedDataset open(
      String tenant,
      LaneMessage.Open request,
      Settings settings,
      LaneServices services,
      ReadCounters counters) {
    try {
      OpenDataset dataset =
          services
              .versions()
              .open(
                  tenant,
                  request.name(),
                  new SourceIdentity(request.sourceLength(), request.sourceDigest()),
                  request.pipeline(),
                  stated(request, settings));
      String backups = dataset.settings().getOrDefault(DatasetSettings.BACKUPS, "0");
      RecordStore store = services.stores().of(Integer.parseInt(backups));
      return new ServedDataset(dataset, store, counters, request.sourceLength());
    } catch (DatasetRefusedException e) {
      throw refusal(e);
    }
  }

  /** What the settings say about the data set, else what its opener says. */
  private static Map<String, String> stated(LaneMessage.Open request, Settings settings) {
    Map<String, String> asked = new HashMap<>();
    if (!request.validation().isEmpty()) {
      asked.put(DatasetSettings.VALIDATION, request.validation());
    }
    if (request.backups() != LaneMessage.Open.BACKUPS_AS_KEPT) {
      asked.put(DatasetSettings.BACKUPS, Integer.toString(request.backups()));
    }
    Settings.Dataset own = settings.datasets().get(request.name());
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

  static String text(Settings.Validation validation) {
    return validation.name().toLowerCase(Locale.ROOT);
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
  Resolved keys(long[] indices, int variant, SampleKey[] keys) {
    try {
      DatasetView current = dataset.servableView();
      DatasetView view = current == null ? dataset.view() : current;
      for (int i = 0; i < indices.length; i++) {
        keys[i] = dataset.key(view, indices[i], variant);
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

  /** Whether {@link #learnSchema} would return at once. */
  boolean knowsSchema(RecordLayout layout) {
    KnownSchema known = knownSchema;
    return known != null && known.holds(view(), layout.familyHash());
  }

  /**
   * Checks a record's schema against the pipeline's; blocks for the grid.
   *
   * @throws LaneException REFUSED when its fields differ, naming them
   */
  void learnSchema(RecordLayout layout) {
    DatasetView view = view();
    long family = layout.familyHash();
    try {
      dataset.checkSchema(
          family,
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
    knownSchema = new KnownSchema(view.incarnation(), view.floor(), family);
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
