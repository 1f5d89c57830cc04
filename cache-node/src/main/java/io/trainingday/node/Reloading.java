package io.trainingday.node;

import io.trainingday.config.Settings;
import io.trainingday.node.capacity.MemoryPlan;
import io.trainingday.node.lane.LaneServer;
import io.trainingday.node.reload.Reloadable;
import io.trainingday.node.versions.DatasetAdmin;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.VersionKeys;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes over what a running node can. */
final class Reloading implements Reloadable {
  private static final Logger LOG = LoggerFactory.getLogger(CacheNode.class);

  private final VersionKeys versions;
  private final DatasetAdmin admin;
  private final Supplier<LaneServer> lane;

  /**
   * @param lane asked for when something has changed, which is not before it is open
   */
  Reloading(VersionKeys versions, DatasetAdmin admin, Supplier<LaneServer> lane) {
    this.versions = versions;
    this.lane = lane;
    this.admin = admin;
  }

  @Override
  public void useDatasets(Map<String, Settings.Dataset> datasets) {
    lane.get().useDatasets(datasets);
  }

  @Override
  public Map<String, ? extends Map<String, String>> kept(String dataset) {
    return versions.settingsByTenant(dataset);
  }

  @Override
  public void configure(String tenant, String dataset, Map<String, String> changed) {
    try {
      admin.configure(tenant, dataset, changed);
    } catch (DatasetRefusedException e) {
      if (e.reason() != DatasetRefusedException.Reason.UNKNOWN_DATASET) {
        throw e;
      }
      LOG.debug("Data set \"{}/{}\" was dropped meanwhile.", tenant, dataset, e);
    }
  }

  @Override
  public Optional<String> refusalAtStart(Settings changed) {
    return MemoryPlan.problem(changed);
  }

  @Override
  public boolean reloadTokens() {
    return lane.get().reloadTokens();
  }
}
