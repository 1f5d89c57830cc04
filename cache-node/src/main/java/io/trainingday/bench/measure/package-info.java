/** Measures ways of reading side by side. */
@NullMarked
package io.trainingday.bench.measure;

import org.jspecify.annotations.NullMarked;
