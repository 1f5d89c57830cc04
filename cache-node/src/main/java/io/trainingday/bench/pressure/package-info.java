/** {@code bench pressure}: a node that is asked to hold ten times what it can. */
@NullMarked
package io.trainingday.bench.pressure;

import org.jspecify.annotations.NullMarked;
