/** The sample record: one byte layout for every language. */
@NullMarked
package io.trainingday.record;

import org.jspecify.annotations.NullMarked;
