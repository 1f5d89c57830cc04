/** What a way of reading samples is, and what is read in every way. */
@NullMarked
package io.trainingday.bench.path;

import org.jspecify.annotations.NullMarked;
