package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.lane.LaneMessage.Role;
import java.util.Set;

/** What a connection may do, by the way it came. */
record Grant(String tenant, Set<Role> roles, DatasetGrants datasets) {
  private static final String DEFAULT_TENANT = Settings.Tenant.DEFAULT;

  /** Who can open the socket may use the node and administer it. */
  static final Grant LOCAL = new Grant(DEFAULT_TENANT, Set.of(Role.TRAINER, Role.ADMIN));

  /** For the lane over TCP where no tokens are asked for. */
  static final Grant ALL = new Grant(DEFAULT_TENANT, Set.of(Role.values()));

  Grant {
    roles = Set.copyOf(roles);
  }

  /** For all data sets of the tenant. */
  Grant(String tenant, Set<Role> roles) {
    this(tenant, roles, DatasetGrants.ALL);
  }
}
