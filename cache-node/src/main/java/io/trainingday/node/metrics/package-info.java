/** What a node tells about itself: figures, probes and status; it observes and changes nothing. */
@NullMarked
package io.trainingday.node.metrics;

import org.jspecify.annotations.NullMarked;
