package io.trainingday.node.reload;

import java.util.List;

/**
 * What became of changed files. The names of the components are keys of the status as JSON.
 *
 * @param settings of the settings file
 * @param tokens of the tokens file
 * @param laneTls of the certificates of the lane over TCP
 * @param gridTls of those of Ignite's ports
 * @param restartNeeded keys whose values in the file differ from those this node was started with
 *     and count when it is started again
 * @param notInForce settings of data sets that this node would not or could not take over, with the
 *     reason
 */
public record ReloadStats(
    Source settings,
    Source tokens,
    Source laneTls,
    Source gridTls,
    List<String> restartNeeded,
    List<String> notInForce) {

  public ReloadStats {
    restartNeeded = List.copyOf(restartNeeded);
    notInForce = List.copyOf(notInForce);
  }

  /** Of a node that follows no file. */
  public static ReloadStats none() {
    Source never = new Source(0, 0, "", 0);
    return new ReloadStats(never, never, never, never, List.of(), List.of());
  }

  /**
   * One file.
   *
   * @param applied changes taken over since the start
   * @param refused changes refused as a whole
   * @param refusal what is wrong with the file as it is now, empty when it is in force
   * @param refusedMillis for how long that has been so
   */
  public record Source(long applied, long refused, String refusal, long refusedMillis) {}
}
