/** How nodes find each other, and why those that start at the same moment make one ring. */
@NullMarked
package io.trainingday.grid.discovery;

import org.jspecify.annotations.NullMarked;
