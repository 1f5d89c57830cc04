/** {@code bench publish}: what it costs to tell a grid that samples have changed. */
@NullMarked
package io.trainingday.bench.publish;

import org.jspecify.annotations.NullMarked;
