package io.trainingday.demo;

import ai.djl.engine.Engine;

/** The engine, set up before it loads. */
final class PyTorch {
  static final String NAME = "PyTorch";

  private PyTorch() {}

  /** The engine; loads it on the first call. */
  static Engine engine() {
    // DJL looks for models and reports its use over the network unless told before it loads.
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    // One compute thread: the sums, and so the weights, do not depend on the number of cores, and
    // small operations do not wait for a second thread that other work keeps from running (seen: an
    // epoch of 20 s instead of 1 s with two threads on two busy cores).
    String threads = "ai.djl.pytorch.num_threads";
    System.setProperty(threads, System.getProperty(threads, "1"));
    return Engine.getEngine(NAME);
  }
}
