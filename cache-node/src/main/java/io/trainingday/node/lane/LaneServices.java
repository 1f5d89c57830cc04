package io.trainingday.node.lane;

import io.trainingday.node.fill.Fills;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.versions.AdminApi;
import io.trainingday.node.versions.VersionKeys;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * What the lane serves from.
 *
 * @param ownership the table of a number of backups; does not block
 * @param admin does what administrators ask for
 * @param statusJson what STATUS answers; may block
 */
public record LaneServices(
    RecordStore store,
    Fills fills,
    VersionKeys versions,
    IntFunction<OwnershipTable> ownership,
    AdminApi admin,
    Supplier<String> statusJson) {}
