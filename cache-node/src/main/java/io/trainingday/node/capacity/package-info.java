/** Decides what still fits: admission of records before Ignite's data region can run out. */
@NullMarked
package io.trainingday.node.capacity;

import org.jspecify.annotations.NullMarked;
