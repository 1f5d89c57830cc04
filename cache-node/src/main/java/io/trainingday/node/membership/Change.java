package io.trainingday.node.membership;

/**
 * A change of one data set, named by what a node sees that sees it.
 *
 * @param generation this one or a later
 * @param revision of what is kept beside the version key, this one or a later
 */
public record Change(long dataset, long incarnation, long generation, long revision) {}
