package io.trainingday.node.traces;

import io.trainingday.grid.SampleKey;

/**
 * The last miss of a sample on one node.
 *
 * @param key that was asked for
 * @param millis when, since 1970
 * @param why of a refused record, one word; else empty
 */
public record Miss(SampleKey key, long millis, Reason reason, String why) {}
