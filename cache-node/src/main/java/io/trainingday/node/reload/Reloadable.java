package io.trainingday.node.reload;

import io.trainingday.config.Settings;
import java.util.Map;
import java.util.Optional;

/** What takes changed settings over: a node. Called from the threads of {@link SettingsWatch}. */
public interface Reloadable {
  /** What data sets get that are opened for the first time from now on, by name. */
  void useDatasets(Map<String, Settings.Dataset> datasets);

  /**
   * What the grid keeps of the data sets of a name: of each tenant that has one, its settings by
   * short name. Throws when the grid cannot tell now.
   */
  Map<String, ? extends Map<String, String>> kept(String dataset);

  /**
   * Changes settings of a data set in the whole grid; of one that is no longer there, nothing.
   * Throws when the grid cannot do it now.
   *
   * @param settings by short name
   */
  void configure(String tenant, String dataset, Map<String, String> settings);

  /** Why a node would not start here with these settings, which are right by themselves. */
  Optional<String> refusalAtStart(Settings settings);

  /**
   * Reads the tokens file again and goes by it from now on.
   *
   * @return whether it says anything new
   * @throws RuntimeException saying all that is wrong with it; what held before holds on
   */
  boolean reloadTokens();

  /**
   * Reads the certificates of one kind of port again; new connections go by them.
   *
   * @return whether they say anything new
   * @throws RuntimeException saying what is wrong with them; what held before holds on
   */
  boolean reloadTls(Tls tls);
}
