package io.trainingday.node.metrics;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.List;

/**
 * What a node that goes has handed over, and what not.
 *
 * @param millis it took
 * @param otherNodes there were in the grid to hand over to, at the end
 * @param partitionsWithoutCopy of data sets with backups that no other node has whole
 * @param trainersStaying that were told to go and are still there
 * @param bytesUnderWay of records taken and not yet written or passed on
 * @param lost what nobody has when this node is gone
 */
public record HandOverReport(
    long millis,
    int otherNodes,
    int partitionsWithoutCopy,
    int trainersStaying,
    long bytesUnderWay,
    List<Lost> lost) {
  private static final JsonMapper JSON = new JsonMapper();

  public HandOverReport {
    lost = List.copyOf(lost);
  }

  /**
   * Records of one data set that are lost with the node, to be loaded again.
   *
   * @param dataset tenant, a slash, the data set's name
   * @param why in a few words
   */
  public record Lost(String dataset, long records, long bytes, String why) {}

  /** As one object, its keys those of the fields. */
  public String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
