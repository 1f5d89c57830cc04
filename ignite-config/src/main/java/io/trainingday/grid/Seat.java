package io.trainingday.grid;

import org.jspecify.annotations.Nullable;

/**
 * What placement knows of a node.
 *
 * @param name unique in the grid and the same after a restart
 * @param budgetBytes its memory for samples, from 0
 * @param host the host it runs on
 * @param zone the failure domain of that host, null if none is set
 */
record Seat(String name, long budgetBytes, String host, @Nullable String zone) {}
