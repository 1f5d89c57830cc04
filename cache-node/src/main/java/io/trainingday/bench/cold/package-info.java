/** {@code bench cold}: what the first epoch costs, and what the next one gains. */
@NullMarked
package io.trainingday.bench.cold;

import org.jspecify.annotations.NullMarked;
