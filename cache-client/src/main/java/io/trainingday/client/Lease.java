package io.trainingday.client;

/**
 * The right to load one missing sample.
 *
 * @param handle of the data set on the connection that the lease belongs to
 */
record Lease(int handle, long index, long id, long sampleVersion) {}
