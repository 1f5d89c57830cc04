package io.trainingday.node.capacity;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;

/**
 * What a data set may have of a node's memory, as the grid keeps it.
 *
 * @param name tenant, a slash, the data set's name
 * @param samples in its source
 * @param backups on how many nodes beside the first each record is kept
 * @param tier where records are kept
 * @param policy which records stay when there is no room for all
 * @param quota the most of the node's memory it takes
 * @param guaranteed the part of the node's memory that is kept for it
 */
public record DatasetTerms(
    String name,
    long samples,
    int backups,
    Tier tier,
    Policy policy,
    Portion quota,
    Portion guaranteed) {}
