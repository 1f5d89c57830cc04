package io.trainingday.node.recovery;

/**
 * One life of a grid: from when it started or came back until all of its nodes were down.
 *
 * @param lineage shared by lives that followed one from the other; random. A cold start begins one
 * @param term counts the lives of a lineage, with gaps
 * @param id random; two lives of one term are told apart by it
 */
public record Life(long lineage, long term, long id) {
  /** Sixteen digits a number; a directory's name. */
  String directory() {
    return "%016x-%x-%016x".formatted(lineage, term, id);
  }
}
