/** How long things take, counted where they happen. */
@NullMarked
package io.trainingday.node.latency;

import org.jspecify.annotations.NullMarked;
