package io.trainingday.grid.discovery;

import org.jspecify.annotations.Nullable;

/**
 * What was found at an address.
 *
 * @param status what the node there says, exactly when there is one
 */
record Sighting(Kind kind, @Nullable Status status) {
  /** Who is there. */
  enum Kind {
    /** Nobody: the host refused the connection. */
    ABSENT,
    /** Perhaps somebody: no answer in time, an unknown name, something that is no cache node. */
    SILENT,
    /** A node. */
    NODE
  }

  static final Sighting ABSENT = new Sighting(Kind.ABSENT, null);
  static final Sighting SILENT = new Sighting(Kind.SILENT, null);

  Sighting {
    if ((kind == Kind.NODE) != (status != null)) {
      throw new IllegalArgumentException("kind=%s with status=%s".formatted(kind, status));
    }
  }

  static Sighting of(Status status) {
    return new Sighting(Kind.NODE, status);
  }
}
