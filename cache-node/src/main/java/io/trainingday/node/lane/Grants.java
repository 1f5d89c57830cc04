package io.trainingday.node.lane;

import org.jspecify.annotations.Nullable;

/** What a token grants on one way to the node; null for nothing. */
interface Grants {
  @Nullable Grant of(String token);

  /** Whether there is a token of this tenant. */
  default boolean isTenant(String name) {
    return false;
  }
}
