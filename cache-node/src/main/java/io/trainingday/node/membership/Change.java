package io.trainingday.node.membership;

/** A change of one data set, named by what a node sees that sees it: this generation or a later. */
public record Change(long dataset, long incarnation, long generation) {}
