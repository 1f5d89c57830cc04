/** Benchmarks that compare ways of reading samples side by side, in one run on one machine. */
@NullMarked
package io.trainingday.bench;

import org.jspecify.annotations.NullMarked;
