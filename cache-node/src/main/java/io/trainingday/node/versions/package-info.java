/** Version keys: what is current for each data set, replicated on every node. */
@NullMarked
package io.trainingday.node.versions;

import org.jspecify.annotations.NullMarked;
