package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.cert.CertificateException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class TakenRefusalTest {
  private final CertificateException why = new CertificateException("expired");

  @Test
  void takeRefusal_atOnce_tellsItOnce() {
    GridTls.refused(why);

    assertThat(GridTls.takeRefusal(System.nanoTime())).contains(why);
    assertThat(GridTls.takeRefusal(System.nanoTime())).isEmpty();
  }

  @Test
  void takeRefusal_ofLongAgo_isNoReason() {
    GridTls.refused(why);

    assertThat(GridTls.takeRefusal(System.nanoTime() + TimeUnit.SECONDS.toNanos(2))).isEmpty();
  }
}
