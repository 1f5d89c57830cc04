/** Who reads which sample in which step, as {@code contract/plan.md} has it; no I/O. */
@NullMarked
package io.trainingday.sampling;

import org.jspecify.annotations.NullMarked;
