/** DJL data sets read through the cache. */
@NullMarked
package io.trainingday.djl;

import org.jspecify.annotations.NullMarked;
