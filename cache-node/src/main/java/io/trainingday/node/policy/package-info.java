/** Which record goes first when there is no room for all: orders of victims, and what they cost. */
@NullMarked
package io.trainingday.node.policy;

import org.jspecify.annotations.NullMarked;
