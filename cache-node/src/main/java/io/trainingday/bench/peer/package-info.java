/** {@code bench peer}: reading samples that another node holds. */
@NullMarked
package io.trainingday.bench.peer;

import org.jspecify.annotations.NullMarked;
