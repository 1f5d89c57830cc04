package io.trainingday.node.ownership;

import java.util.Optional;
import java.util.UUID;

/**
 * A node of the grid.
 *
 * @param id Ignite's id of this run of the node; a node that was started again has another one
 * @param name the node's name, unique in the grid and the same after it was started again
 * @param hostId the host it runs on
 * @param laneAddress {@code HOST:PORT} of its lane over TCP, empty without one
 * @param budgetBytes its memory for samples
 * @param recordFormat the newest format of records it reads
 * @param local whether it is the node that asks
 */
public record Member(
    UUID id,
    String name,
    String hostId,
    Optional<String> laneAddress,
    long budgetBytes,
    int recordFormat,
    boolean local) {}
