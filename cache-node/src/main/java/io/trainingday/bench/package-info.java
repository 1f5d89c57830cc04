/** Benchmarks, each a room of its own. */
@NullMarked
package io.trainingday.bench;

import org.jspecify.annotations.NullMarked;
