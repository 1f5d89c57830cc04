/** The command line: one class for each verb. */
@NullMarked
package io.trainingday.cli;

import org.jspecify.annotations.NullMarked;
