package io.trainingday.client;

import java.util.concurrent.TimeUnit;

/** A wait that an interrupt does not end; it is there again afterwards. */
final class Pause {
  private Pause() {}

  static void nanos(long nanos) {
    long until = System.nanoTime() + nanos;
    boolean interrupted = false;
    for (long left = nanos; left > 0; left = until - System.nanoTime()) {
      try {
        TimeUnit.NANOSECONDS.sleep(left);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
