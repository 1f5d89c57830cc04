/** {@code bench plan}: how local the reads of an epoch's plan are, and what it costs. */
@NullMarked
package io.trainingday.bench.plan;

import org.jspecify.annotations.NullMarked;
