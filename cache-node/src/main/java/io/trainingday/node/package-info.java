/** The cache node: storage, lane, fills, versions and metrics, wired together. */
@NullMarked
package io.trainingday.node;

import org.jspecify.annotations.NullMarked;
