package io.trainingday.lane;

import org.jspecify.annotations.Nullable;

/**
 * What a connection over TCP shows. A Unix socket needs none of it.
 *
 * @param token who it speaks for, empty for nobody in particular
 * @param tls how it is encrypted, null for not at all
 */
public record LaneAccess(String token, @Nullable LaneTls tls) {
  /** No token, no encryption. */
  public static final LaneAccess OPEN = new LaneAccess("", null);

  /** Whether there is a token, not which. */
  @Override
  public String toString() {
    return "LaneAccess[token=%s, tls=%s]".formatted(token.isEmpty() ? "none" : "…", tls != null);
  }
}
