/** Threads of a node that work in turns beside its reads and fills. Knows nothing of the work. */
@NullMarked
package io.trainingday.node.background;

import org.jspecify.annotations.NullMarked;
