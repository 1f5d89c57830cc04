/** Which node of the grid holds which samples. */
@NullMarked
package io.trainingday.node.ownership;

import org.jspecify.annotations.NullMarked;
