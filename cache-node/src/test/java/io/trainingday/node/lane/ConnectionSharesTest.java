package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.api.Test;

class ConnectionSharesTest {
  private static final String TENANT = "team-a";

  /** Of 16, half is kept for the tenant, nodes, and those that greet: 2 each. */
  private final ConnectionShares<Integer> shares = new ConnectionShares<>(16);

  @Test
  void makeWay_forATenant_theSilentKeepTheirPart() {
    shares.use(Set.of(TENANT), true);
    for (int i = 0; i < 4; i++) {
      assertThat(shares.enter(i, ConnectionShares.GREETING)).isTrue();
    }

    assertThat(shares.makeWay(TENANT)).isEqualTo(0);
    assertThat(shares.makeWay(TENANT)).isEqualTo(1);
    assertThat(shares.makeWay(TENANT)).isNull();
    assertThat(shares.makeWay(ConnectionShares.GREETING)).isEqualTo(2);
    assertThat(shares.count()).isEqualTo(1);
  }

  @Test
  void greeted_byOneThatHasMadeWay_isRefused() {
    shares.use(Set.of(TENANT), true);
    assertThat(shares.enter(1, ConnectionShares.GREETING)).isTrue();
    assertThat(shares.makeWay(ConnectionShares.GREETING)).isEqualTo(1);

    assertThat(shares.greeted(1, TENANT)).isFalse();
    shares.leave(1);
    assertThat(shares.count()).isZero();
  }
}
