/** Settings out of YAML, XML and the environment. */
@NullMarked
package io.trainingday.config.format;

import org.jspecify.annotations.NullMarked;
