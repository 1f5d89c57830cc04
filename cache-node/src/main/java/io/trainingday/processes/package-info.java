/** Grids of cache nodes that run as processes of this machine. */
@NullMarked
package io.trainingday.processes;

import org.jspecify.annotations.NullMarked;
