/** Which records are kept on disk, and how memory and disk of the grid's nodes play together. */
@NullMarked
package io.trainingday.node.tier;

import org.jspecify.annotations.NullMarked;
