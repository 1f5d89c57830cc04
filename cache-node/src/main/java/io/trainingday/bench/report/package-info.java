/** What a benchmark gives: a table for people, JSON for programs. */
@NullMarked
package io.trainingday.bench.report;

import org.jspecify.annotations.NullMarked;
