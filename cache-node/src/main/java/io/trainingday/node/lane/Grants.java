package io.trainingday.node.lane;

import org.jspecify.annotations.Nullable;

/** What a token grants on one way to the node; null for nothing. */
interface Grants {
  @Nullable Grant of(String token);
}
