/** Where one cache node keeps its records: writing, removing and the two ways of reading them. */
@NullMarked
package io.trainingday.node.store;

import org.jspecify.annotations.NullMarked;
