/** Ways of reading that several benchmarks compare: the lane, Redis, caches with a getAll. */
@NullMarked
package io.trainingday.bench.client;

import org.jspecify.annotations.NullMarked;
