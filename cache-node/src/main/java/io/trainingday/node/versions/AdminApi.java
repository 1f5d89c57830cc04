package io.trainingday.node.versions;

import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;

/**
 * What administrators ask of the grid. Blocks until the grid has done it; from any thread. A
 * request that does not fit what is kept is a {@link DatasetRefusedException}.
 *
 * <p>{@code tenant} and {@code name} say which data set. A request id makes a request repeatable:
 * the same again changes nothing and returns the same generation.
 */
public interface AdminApi {
  /**
   * Every sample changed.
   *
   * @param newSource what the data set is made of from now on; empty where that stays the same
   * @return the generation made
   */
  long publish(String tenant, String name, String requestId, Optional<SourceIdentity> newSource);

  /**
   * Some samples changed.
   *
   * @return the generation made
   */
  long publishChanged(String tenant, String name, String requestId, long[] indices);

  /**
   * Every sample whose stamp differs from the one in the manifest published last has changed.
   *
   * @param stamps as many as indices
   * @return the generation made, or the current one if nothing changed
   */
  long publishManifest(
      String tenant, String name, String requestId, long[] indices, String[] stamps);

  /**
   * The records of some samples are wrong.
   *
   * @return the generation made
   */
  long invalidate(String tenant, String name, long[] indices);

  /**
   * Changes settings of a data set; they hold on all nodes when this returns.
   *
   * @return all of its settings from now on
   */
  SortedMap<String, String> configure(String tenant, String name, Map<String, String> settings);

  /** A JSON array, one object per data set of the tenant. */
  String datasetsJson(String tenant);
}
