package io.trainingday.node.peer;

import java.util.UUID;

/**
 * A sign of life from one node to another.
 *
 * @param from the node it comes from
 * @param freeBytes what its admission could still take
 */
public record Ping(UUID from, long freeBytes) {}
