/** Tests of what installs training-day on Kubernetes. */
@NullMarked
package io.trainingday.k8s;

import org.jspecify.annotations.NullMarked;
