/** {@code bench policy}: what policies find of traces that training makes. */
@NullMarked
package io.trainingday.bench.policy;

import org.jspecify.annotations.NullMarked;
