/** {@code bench disk}: keeping samples on this host's disk and reading them again. */
@NullMarked
package io.trainingday.bench.disk;

import org.jspecify.annotations.NullMarked;
