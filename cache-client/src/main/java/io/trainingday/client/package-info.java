/** Reading training samples through the cache: connect, open a data set, read batches. */
@NullMarked
package io.trainingday.client;

import org.jspecify.annotations.NullMarked;
