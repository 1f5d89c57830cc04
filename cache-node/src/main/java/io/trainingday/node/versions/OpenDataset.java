package io.trainingday.node.versions;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One data set, opened with one pipeline. Safe for any number of threads; needs no closing. */
public final class OpenDataset {
  private static final Logger LOG = LoggerFactory.getLogger(OpenDataset.class);

  private final VersionKeys versionKeys;
  private final ViewCell cell;
  private final String scopedName;
  private final long incarnation;
  private final long pipeline;
  private final SourceIdentity source;
  private final SortedMap<String, String> settings;
  private volatile Pipeline.@Nullable Schema schema;

  OpenDataset(
      VersionKeys versionKeys,
      ViewCell cell,
      String scopedName,
      long incarnation,
      long pipeline,
      SourceIdentity source,
      SortedMap<String, String> settings) {
    this.versionKeys = versionKeys;
    this.cell = cell;
    this.scopedName = scopedName;
    this.incarnation = incarnation;
    this.pipeline = pipeline;
    this.source = source;
    this.settings = settings;
  }

  /** The tenant, a slash, the data set's name. */
  public String scopedName() {
    return scopedName;
  }

  /** The data set's hash in keys. */
  public long datasetHash() {
    return cell.dataset();
  }

  /** The pipeline fingerprint's hash in keys. */
  public long pipelineHash() {
    return pipeline;
  }

  /** The settings kept for the data set, defaults filled in. */
  public SortedMap<String, String> settings() {
    return settings;
  }

  /**
   * What is current, if this node may serve it: contains every publish that returned before, on any
   * node. Ask once per read; about 1.5 µs.
   *
   * @return null when this node does not hold its serving lease, or cannot tell what is current:
   *     then answer that everything is missing, and give no leases
   * @throws DatasetRefusedException as {@link #view}
   */
  public @Nullable DatasetView servableView() {
    if (!versionKeys.mayServe()) {
      return null;
    }
    try {
      return checked(versionKeys.view(cell));
    } catch (GridUnavailableException e) {
      LOG.debug("No view of data set \"{}\".", scopedName, e);
      return null;
    }
  }

  /**
   * What this node takes for current, whether it may serve or not. Enough for whatever writes under
   * a version that was told before: at worst it is written where nobody looks.
   *
   * @throws DatasetRefusedException when the source was replaced since this was opened, so that the
   *     opener's samples are no longer the data set's, or when the data set was dropped
   */
  public DatasetView view() {
    try {
      return checked(versionKeys.view(cell));
    } catch (GridUnavailableException e) {
      DatasetView known = cell.view();
      if (known == null) {
        throw e;
      }
      return checked(known);
    }
  }

  private DatasetView checked(@Nullable DatasetView view) {
    if (view == null || view.incarnation() != incarnation) {
      throw new DatasetRefusedException(
          Reason.UNKNOWN_DATASET,
          "data set \"%s\" was dropped, open it again".formatted(scopedName));
    }
    if (!view.source().equals(source)) {
      throw new DatasetRefusedException(
          Reason.SOURCE_REPLACED,
          "the source of data set \"%s\" was replaced while it was open: opened with %s, now %s, open it again with the new source"
              .formatted(scopedName, source, view.source()));
    }
    return view;
  }

  /**
   * The key of a sample's current record.
   *
   * @param view from {@link #view}
   * @throws DatasetRefusedException when the index is out of range
   */
  public SampleKey key(DatasetView view, long index, int variant) {
    return keyAt(view, view.sampleVersion(index), index, variant);
  }

  /**
   * The key of a record of a version that the caller was told before, with its lease, by this node
   * or another one. A version that is no longer current is allowed: nobody looks there. So is one
   * that this node has not seen yet; under such a key nothing may be written.
   *
   * @throws DatasetRefusedException when the index is out of range
   */
  public SampleKey keyAt(DatasetView view, long sampleVersion, long index, int variant) {
    view.requireIndex(index);
    return new SampleKey(
        cell.dataset(), view.incarnation(), pipeline, sampleVersion, variant, index);
  }

  /**
   * Checks a record's schema against that of the pipeline's first record, which it may be. Of the
   * same family, or the first one after everything was published anew: returns. Local once this
   * node has heard of a first record.
   *
   * @param family hash of what records must share
   * @param description for people, one line a field: {@code name: dtype, number of dimensions}
   * @throws DatasetRefusedException when the family differs, naming the fields that do
   */
  public void checkSchema(long family, String description) {
    DatasetView view = view();
    Pipeline.Schema known = schemaAt(view);
    if (known == null) {
      known = versionKeys.learnSchema(this, view, family, description);
      schema = known;
    }
    if (known.family() != family) {
      throw Pipeline.mismatch(scopedName, known.description(), description);
    }
  }

  /**
   * Whether this node knows the pipeline's schema and it is of that family, so that {@link
   * #checkSchema} would return at once. Waits for nobody.
   *
   * @throws DatasetRefusedException as {@link #view}
   */
  public boolean knowsSchema(long family) {
    Pipeline.Schema known = schemaAt(view());
    return known != null && known.family() == family;
  }

  private Pipeline.@Nullable Schema schemaAt(DatasetView view) {
    Pipeline.Schema known = schema;
    if (known == null || !known.bindsAt(view)) {
      known = versionKeys.knownSchema(this, view);
      if (known != null) {
        schema = known;
      }
    }
    return known;
  }
}
