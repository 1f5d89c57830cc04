/** Settings of a training-day grid: one model, whatever file they came from. */
@NullMarked
package io.trainingday.config;

import org.jspecify.annotations.NullMarked;
