/** Answers questions about the whole grid: where a sample is, whether all records are sound. */
@NullMarked
package io.trainingday.node.inquiry;

import org.jspecify.annotations.NullMarked;
