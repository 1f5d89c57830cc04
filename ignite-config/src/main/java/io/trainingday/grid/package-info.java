/** What the settings mean for Apache Ignite: cache names, keys, placement, configuration. */
@NullMarked
package io.trainingday.grid;

import org.jspecify.annotations.NullMarked;
