package io.trainingday.node.lane;

import io.trainingday.node.capacity.ReadRecorder;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.inquiry.Inquiries;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.FillForwarder;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.peer.PingListener;
import io.trainingday.node.tier.TieredStores;
import io.trainingday.node.traces.Traces;
import io.trainingday.node.versions.AdminApi;
import io.trainingday.node.versions.Agreements;
import io.trainingday.node.versions.VersionKeys;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the lane serves from.
 *
 * @param forwarder passes on the records whose owners are other nodes
 * @param pings answers the pings of other nodes
 * @param agreements what trainers agree on
 * @param admin does what administrators ask for
 * @param reads is told what is read here
 * @param drain hands over and stops; blocks
 * @param traces is told of every miss, and what became of records
 * @param inquiries answers what is asked about the whole grid
 * @param statusJson what STATUS answers to a tenant that sees its own alone, or to who sees all;
 *     may block
 */
public record LaneServices(
    TieredStores stores,
    Fills fills,
    VersionKeys versions,
    Ownership ownership,
    Peers peers,
    FillForwarder forwarder,
    PingListener pings,
    Agreements agreements,
    AdminApi admin,
    ReadRecorder reads,
    DrainApi drain,
    Traces traces,
    Inquiries inquiries,
    Function<Optional<String>, String> statusJson) {}
