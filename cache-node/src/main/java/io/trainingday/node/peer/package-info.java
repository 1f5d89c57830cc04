/** This node as a client of the others: reads, fills and leases over the peer lane. */
@NullMarked
package io.trainingday.node.peer;

import org.jspecify.annotations.NullMarked;
