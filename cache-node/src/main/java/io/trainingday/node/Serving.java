package io.trainingday.node;

import io.trainingday.config.Settings;
import io.trainingday.node.membership.GridMembership;
import io.trainingday.node.membership.Keeper;
import io.trainingday.node.membership.ServingLease;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.peer.Ping;
import io.trainingday.node.peer.Pong;
import io.trainingday.node.versions.Agreements;
import io.trainingday.node.versions.DatasetSettings;
import io.trainingday.node.versions.Recovery;
import io.trainingday.node.versions.VersionKeys;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a node may serve now, and what is current: its membership, its lease, the version keys.
 */
final class Serving implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Serving.class);
  private static final Duration LEASE_WAIT = Duration.ofSeconds(10);

  private final @Nullable Recovery recovery;
  private final GridMembership membership;
  private final ServingLease lease;
  private final VersionKeys versions;
  private final Agreements agreements;
  private boolean closed; // Guarded by this.

  Serving(Settings settings, IgniteNode node, Peers peers) {
    recovery =
        node.keptFiles()
            .map(
                files ->
                    new Recovery(
                        node.ignite(),
                        files,
                        node.keptBefore(),
                        settings.recovery().patience(),
                        node::freeMetaBytes,
                        patience(settings)))
            .orElse(null);
    membership =
        new GridMembership(
            node.ignite(),
            settings.versions().smallGrids(),
            settings.versions().servingLease(),
            recovery == null ? Keeper.NONE : recovery.keeper());
    Ping ping = new Ping(peers.localId(), 0);
    lease =
        new ServingLease(
            membership,
            settings.versions().servingLease(),
            member -> peers.ping(member, ping).thenApply(pong -> !pong.refused()));
    versions =
        new VersionKeys(
            node.ignite(),
            DatasetSettings.of(Settings.defaults().dataset("")),
            node::freeMetaBytes,
            membership::fence,
            lease::isHeld,
            patience(settings),
            recovery);
    agreements =
        new Agreements(
            node.ignite(),
            node::freeMetaBytes,
            lease::isHeld,
            settings.lane().answerTimeout().dividedBy(2));
    if (recovery != null) {
      recovery.begin(membership);
    }
  }

  /** What the grid needs to notice that nodes failed, one after the other, and then a lease. */
  private static Duration patience(Settings settings) {
    return settings
        .grid()
        .failureDetectionTimeout()
        .multipliedBy(3)
        .plus(settings.versions().servingLease())
        .plusSeconds(20);
  }

  /** Trainers that come before would find nothing; one that has to wait too long may still come. */
  void await() {
    try {
      if (!lease.awaitHeld(LEASE_WAIT)) {
        LOG.warn("The node starts without serving: {}.", lease.trouble().orElse(""));
      } else if (recovery != null && !recovery.awaitOver(LEASE_WAIT)) {
        recovery.trouble().ifPresent(why -> LOG.warn("The node starts without serving: {}.", why));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NodeStartException("interrupted while the node joined the grid", e);
    }
  }

  /** Why the node does not serve now, or empty while it does. */
  Optional<String> trouble() {
    return lease.trouble().or(() -> recovery == null ? Optional.empty() : recovery.trouble());
  }

  VersionKeys versions() {
    return versions;
  }

  Agreements agreements() {
    return agreements;
  }

  /** What this node answers to a ping: whether the one that asks is, to it, in the grid. */
  Pong answer(Ping asked) {
    return new Pong(!membership.contains(asked.from()), 0);
  }

  /** Safe to call again; returns when it is done, whoever began it. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    lease.close();
    versions.close();
    membership.close();
    if (recovery != null) {
      recovery.close();
    }
  }
}
