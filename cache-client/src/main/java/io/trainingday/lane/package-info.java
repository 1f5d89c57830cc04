/** The data path between a trainer and a cache node: frames, messages, one connection. */
@NullMarked
package io.trainingday.lane;

import org.jspecify.annotations.NullMarked;
