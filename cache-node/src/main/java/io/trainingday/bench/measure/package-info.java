/** Measures ways of reading side by side, and reports what they gave. */
@NullMarked
package io.trainingday.bench.measure;

import org.jspecify.annotations.NullMarked;
