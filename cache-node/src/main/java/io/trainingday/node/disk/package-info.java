/** The records one cache node keeps on its disk. */
@NullMarked
package io.trainingday.node.disk;

import org.jspecify.annotations.NullMarked;
