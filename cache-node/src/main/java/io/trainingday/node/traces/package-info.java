/** What a node remembers of records that are not there, so that a miss can be explained. */
@NullMarked
package io.trainingday.node.traces;

import org.jspecify.annotations.NullMarked;
