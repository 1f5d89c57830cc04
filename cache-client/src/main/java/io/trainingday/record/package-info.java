/**
 * The sample record: one byte layout for every language, drawn in {@code
 * cache-client/contract/record.md}.
 */
@NullMarked
package io.trainingday.record;

import org.jspecify.annotations.NullMarked;
