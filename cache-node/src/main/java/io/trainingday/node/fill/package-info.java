/** Leases, single flight and bounded write-behind for the missing samples that this node owns. */
@NullMarked
package io.trainingday.node.fill;

import org.jspecify.annotations.NullMarked;
