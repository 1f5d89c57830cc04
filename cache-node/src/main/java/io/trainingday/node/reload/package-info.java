/**
 * Settings and tokens that change while a node runs: what is new in their files is taken over, or
 * it is said why not.
 */
@NullMarked
package io.trainingday.node.reload;

import org.jspecify.annotations.NullMarked;
