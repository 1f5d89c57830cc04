/** {@code bench local}: reading samples that are on the same host. */
@NullMarked
package io.trainingday.bench.local;

import org.jspecify.annotations.NullMarked;
