package io.trainingday.node.lane;

import org.jspecify.annotations.Nullable;

/** What a token grants on one way to the node; null for nothing. */
interface Grants {
  @Nullable Grant of(String token);

  /** Whether there is a token of this tenant. */
  default boolean isTenant(String name) {
    return false;
  }

  /**
   * Refuses a name that begins with another tenant's: it is no way to that tenant's data sets, and
   * whoever says it takes it for one.
   */
  default void requireOwn(Grant granted, String dataset) {
    int slash = dataset.indexOf('/');
    String first = slash < 0 ? "" : dataset.substring(0, slash);
    if (!first.equals(granted.tenant()) && isTenant(first)) {
      throw new Denial(
          RefusalReason.TENANT,
          "data set \"%s\" is of the tenant %s, and this token of the tenant %s; take a token of that one, or another name"
              .formatted(dataset, first, granted.tenant()));
    }
  }
}
