/** Finds stale reads and wrong content in the log of a test; pure, knows no node. */
@NullMarked
package io.trainingday.node.consistency;

import org.jspecify.annotations.NullMarked;
