/**
 * What a node keeps on its disk to find back into its grid after all nodes were down: who the grid
 * was, the version keys, and the rule by which those who come back tell that they know the newest.
 */
@NullMarked
package io.trainingday.node.recovery;

import org.jspecify.annotations.NullMarked;
