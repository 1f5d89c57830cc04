package io.trainingday.node;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Lets conditions come true later than in Awaitility's own 10 s, which nodes that share two busy
 * cores may take, and looks for them more often than every 100 ms. JUnit finds it by itself.
 */
public final class PatientAwaits implements BeforeAllCallback {
  @Override
  public void beforeAll(ExtensionContext context) {
    Awaitility.setDefaultTimeout(Duration.ofMinutes(1));
    Awaitility.setDefaultPollInterval(Duration.ofMillis(20));
  }
}
