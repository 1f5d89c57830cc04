/**
 * Who is in the grid, agreed by a majority of those who were: the serving lease of each node, and
 * the fence that a change passes when nobody can serve what was before it.
 */
@NullMarked
package io.trainingday.node.membership;

import org.jspecify.annotations.NullMarked;
