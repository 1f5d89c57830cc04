package io.trainingday.node.membership;

import io.trainingday.config.Settings.SmallGrids;
import java.util.Collection;
import java.util.Optional;
import java.util.UUID;

/** What the lease and the fence need of this node's membership. */
interface LocalMembership {
  UUID self();

  SmallGrids smallGrids();

  MembershipState state();

  /** Raised with every new state, and by whoever has news for those who wait. */
  Signal signal();

  /** Sends without waiting; letters may get lost. */
  void send(Collection<UUID> nodes, Letter letter);

  /** The others have taken this node for dead: it is out, and so is whoever joins it now. */
  void expelled();

  /** Why this node may not serve or publish, empty while it may as far as the membership goes. */
  Optional<String> trouble();

  /** Whether this node stops. */
  boolean isClosed();
}
