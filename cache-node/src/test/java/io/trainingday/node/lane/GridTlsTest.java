package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import io.trainingday.node.LogLines;
import io.trainingday.node.NodeStartException;
import io.trainingday.node.TestCertificates;
import io.trainingday.node.TestCertificates.Identity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes whose lanes and Ignite ports speak TLS, and those who do not get in. */
@Timeout(180)
class GridTlsTest {
  private static Path directory;
  private static Identity own;
  private static Identity stranger;
  private static Identity expired;
  private static Path trust;
  private static NodeGrid grid;

  @BeforeAll
  static void launch(@TempDir Path temp) throws Exception {
    directory = temp;
    own = TestCertificates.selfSigned(directory, "own", "ip:127.0.0.1");
    stranger = TestCertificates.selfSigned(directory, "stranger", "ip:127.0.0.1");
    expired = TestCertificates.expired(directory, "expired", "ip:127.0.0.1");
    trust =
        Files.writeString(
            directory.resolve("trust.pem"),
            Files.readString(own.certificate()) + Files.readString(expired.certificate()));
    grid = NodeGrid.launch(directory, 2, GridTlsTest::encrypted);
  }

  @AfterAll
  static void stop() {
    grid.close();
  }

  private static Settings.Builder encrypted(Settings.Builder node) {
    return node.set(SettingKey.GRID_TLS_CERTIFICATE, own.certificate())
        .set(SettingKey.GRID_TLS_KEY, own.key())
        .set(SettingKey.GRID_TLS_TRUST, trust)
        .set(SettingKey.LANE_TLS_ENABLED, true)
        .set(SettingKey.LANE_TLS_CERTIFICATE, own.certificate())
        .set(SettingKey.LANE_TLS_KEY, own.key())
        .set(SettingKey.LANE_TLS_TRUST, trust)
        .set(SettingKey.LANE_TLS_CLIENT_CERTIFICATES, true);
  }

  @Test
  void nodes_withCertificates_formAGridAndReadFromEachOther() throws IOException {
    assertThat(grid.node(0).stats().grid().nodes()).hasSize(2);
    grid.awaitPeerReads("tls", 8);
    assertThat(grid.node(1).stats().peers().samplesServed()).isPositive();
  }

  @Test
  void node_withAnUnknownCertificate_isRefusedInWordsLoggedOnceAndCounted() throws IOException {
    try (LogLines log = new LogLines()) {
      Settings.Builder other =
          node("stranger")
              .set(SettingKey.GRID_TLS_CERTIFICATE, stranger.certificate())
              .set(SettingKey.GRID_TLS_KEY, stranger.key())
              .set(SettingKey.GRID_TLS_TRUST, trust);
      assertThatThrownBy(() -> CacheNode.launch(other.build()).close())
          .isInstanceOf(NodeStartException.class)
          .hasMessageContaining("it does not accept grid.tls.certificate of this node (");
      assertThat(refusals("certificate_unknown")).isGreaterThan(2);
      loggedOnce(log, "certificate_unknown");
      assertThat(grid.node(0).stats().grid().nodes()).hasSize(2);
    }
  }

  @Test
  void node_withoutTls_isRefusedInWordsLoggedOnceAndCounted() throws IOException {
    try (LogLines log = new LogLines()) {
      assertThatThrownBy(() -> CacheNode.launch(node("plain").build()).close())
          .isInstanceOf(NodeStartException.class)
          .hasMessageContaining(
              "it speaks TLS and this one does not; set grid.tls.certificate, grid.tls.key and grid.tls.trust");
      assertThat(refusals("tls")).isGreaterThan(2);
      // Not at all, where another test had a line of this kind a moment before.
      assertThat(log.with("Refused a node at 127.0.0.1 (tls)")).hasSizeLessThanOrEqualTo(2);
    }
  }

  @Test
  void connection_withAnExpiredCertificate_isRefusedLoggedOnceAndCountedAtBothPorts()
      throws Exception {
    Settings.Grid ports = grid.node(0).settings().grid();
    try (LogLines log = new LogLines()) {
      for (int port : new int[] {ports.port(), ports.communicationPort()}) {
        long before = refusals("certificate_expired");
        for (int i = 0; i < 3; i++) {
          ExpiredClient.connect(expired, own, port);
        }
        await().until(() -> refusals("certificate_expired") == before + 3);
      }
      loggedOnce(log, "certificate_expired");
      assertThat(log.all()).isSubsetOf(log.with("Refused a node at "));
    }
  }

  @Test
  void connection_withAnUnknownCertificate_isCountedAtTheCommunicationPort() throws Exception {
    long before = refusals("certificate_unknown");
    ExpiredClient.connect(stranger, own, grid.node(0).settings().grid().communicationPort());
    await().until(() -> refusals("certificate_unknown") == before + 1);
  }

  /** Or twice, where a minute ended meanwhile. */
  private static void loggedOnce(LogLines log, String reason) {
    assertThat(log.with("Refused a node at 127.0.0.1 (" + reason + ")")).hasSizeBetween(1, 2);
  }

  @Test
  void ownCertificate_expired_isRefusedAtTheStart() throws IOException {
    Settings.Builder node =
        node("late")
            .set(SettingKey.GRID_TLS_CERTIFICATE, expired.certificate())
            .set(SettingKey.GRID_TLS_KEY, expired.key())
            .set(SettingKey.GRID_TLS_TRUST, trust);
    assertThatThrownBy(() -> CacheNode.launch(node.build()).close())
        .isInstanceOf(LaneStartException.class)
        .hasMessageStartingWith("grid.tls.certificate=%s expired at ", expired.certificate())
        .hasMessageEndingWith(", renew it");
  }

  @Test
  void ownKey_ofAnotherCertificate_isRefusedAtTheStart() throws IOException {
    Settings.Builder node =
        node("mixed")
            .set(SettingKey.GRID_TLS_CERTIFICATE, own.certificate())
            .set(SettingKey.GRID_TLS_KEY, stranger.key())
            .set(SettingKey.GRID_TLS_TRUST, directory.resolve("none.pem"));
    assertThatThrownBy(() -> CacheNode.launch(node.build()).close())
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "grid.tls.key=%s is not the key of the first certificate (EC) in grid.tls.certificate=%s, give both from one pair",
            stranger.key(), own.certificate());
  }

  private static Settings.Builder node(String name) throws IOException {
    return NodeGrid.settings(
        Files.createDirectories(directory.resolve(name)), 9, grid.node(0).settings().grid().port());
  }

  private static long refusals(String reason) {
    return grid.nodes().stream()
        .mapToLong(node -> node.stats().grid().refusals().getOrDefault(reason, -1L))
        .sum();
  }
}
