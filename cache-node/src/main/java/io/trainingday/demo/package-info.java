/** The demo: a real training run on real images, with and without the cache. */
@NullMarked
package io.trainingday.demo;

import org.jspecify.annotations.NullMarked;
