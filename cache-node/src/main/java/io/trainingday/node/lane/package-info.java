/** The lane's server: sockets, shared-memory slots, batches. The only room that knows Netty. */
@NullMarked
package io.trainingday.node.lane;

import org.jspecify.annotations.NullMarked;
