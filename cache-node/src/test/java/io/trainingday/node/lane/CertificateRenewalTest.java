package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.node.CacheNode;
import io.trainingday.node.LogLines;
import io.trainingday.node.MountedFiles;
import io.trainingday.node.TestCertificates;
import io.trainingday.node.TestCertificates.Identity;
import io.trainingday.node.reload.ReloadStats;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates that are renewed under two nodes that run, as a Secret that both mount. */
@Timeout(180)
class CertificateRenewalTest {
  private static final String CERTIFICATE = "tls.crt";
  private static final String KEY = "tls.key";
  private static final String TRUST = "ca.crt";
  private static final int SOON_MILLIS = 60_000;

  private static Path directory;
  private static Identity authority;
  private static Identity old;
  private static Identity renewed;
  private static Identity other;
  private static MountedFiles secret;
  private static NodeGrid grid;
  private static CacheNode node;

  @BeforeAll
  static void launch(@TempDir Path temp) throws Exception {
    directory = temp;
    authority = TestCertificates.authority(directory, "authority");
    old = TestCertificates.signed(directory, "old", "ip:127.0.0.1", authority, 3);
    renewed = TestCertificates.signed(directory, "renewed", "ip:127.0.0.1", authority, 90);
    other = TestCertificates.selfSigned(directory, "other", "ip:127.0.0.1");
    secret = new MountedFiles(directory.resolve("secret"), files(old, authority));
    grid =
        NodeGrid.launch(
            directory,
            2,
            settings ->
                settings
                    .set(SettingKey.GRID_TLS_CERTIFICATE, secret.file(CERTIFICATE))
                    .set(SettingKey.GRID_TLS_KEY, secret.file(KEY))
                    .set(SettingKey.GRID_TLS_TRUST, secret.file(TRUST))
                    .set(SettingKey.LANE_TLS_ENABLED, true)
                    .set(SettingKey.LANE_TLS_CERTIFICATE, secret.file(CERTIFICATE))
                    .set(SettingKey.LANE_TLS_KEY, secret.file(KEY))
                    .set(SettingKey.LANE_TLS_TRUST, secret.file(TRUST))
                    .set(SettingKey.LANE_TLS_CLIENT_CERTIFICATES, true));
    node = grid.node(0);
  }

  @AfterAll
  static void stop() {
    grid.close();
  }

  @Test
  void renewedCertificate_isShownToWhoComes_andWhoIsThereGoesOn() throws Exception {
    swap(files(old, authority));
    try (LaneConnection before = connect(old)) {
      assertThat(shownAtAllPorts()).containsOnly(certificate(old));

      swap(files(renewed, authority));

      assertThat(shownAtAllPorts()).containsOnly(certificate(renewed));
      assertThat(before.call(new LaneMessage.StatusRequest(), soon()).message())
          .isInstanceOf(LaneMessage.StatusReply.class);
      connect(renewed).close();
      assertThat(grid.node(1).stats().grid().nodes()).hasSize(2);
      assertThat(node.stats().certificateExpirySeconds())
          .containsOnly(Map.entry("lane", end(renewed)), Map.entry("grid", end(renewed)));
    }
    grid.awaitPeerReads("renewed", 4);
  }

  /** By sessions of before, too: they must not be taken up again. */
  @Test
  void trustThatIsTakenBack_countsForWhoCameBefore() throws Exception {
    swap(files(old, authority));
    SSLContext client = client(other);
    for (int port : gridPorts()) {
      refused(client, port);
    }
    assertThatThrownBy(() -> connect(other).close()).isInstanceOf(IOException.class);

    swap(files(old, authority, other));
    long before = refusals("certificate_unknown");
    for (int port : gridPorts()) {
      greet(client, port);
      greet(client, port);
    }
    connect(other).close();
    assertThat(refusals("certificate_unknown")).isEqualTo(before);

    swap(files(old, authority));
    for (int port : gridPorts()) {
      refused(client, port);
    }
    assertThatThrownBy(() -> connect(other).close()).isInstanceOf(IOException.class);
  }

  @Test
  void halfWrittenOrBrokenFiles_areRefusedLoggedOnceAndTheOldHoldOn() throws Exception {
    swap(files(old, authority));
    try (LogLines log = new LogLines()) {
      long refused = lane().refused();
      Map<String, String> mixed =
          Map.of(
              CERTIFICATE,
              Files.readString(renewed.certificate()),
              KEY,
              Files.readString(old.key()),
              TRUST,
              Files.readString(authority.certificate()));

      secret.swap(mixed);

      await().until(() -> lane().refused() == refused + 1 && grid().refused() > 0);
      assertThat(lane().refusal())
          .isEqualTo(
              "lane.tls.key=%s is not the key of the first certificate (EC) in lane.tls.certificate=%s, give both from one pair",
              secret.file(KEY), secret.file(CERTIFICATE));
      assertThat(grid().refusal()).startsWith("grid.tls.key=");
      assertThat(shownAtAllPorts()).containsOnly(certificate(old));
      // Tried again at each look, and not said again.
      await().until(() -> lane().refusedMillis() > 2_500);
      assertThat(lane().refused()).isEqualTo(refused + 1);
      assertThat(log.with("those read before hold on: lane.tls.key=")).hasSizeBetween(1, 2);

      secret.swap(Map.of(CERTIFICATE, "-----BEGIN CERTIFICATE-----\nMIIB", KEY, "", TRUST, ""));
      await().until(() -> lane().refusal().contains("has no CERTIFICATE block"));
      connect(old).close();

      swap(files(renewed, authority));
      assertThat(lane().refusal()).isEmpty();
      assertThat(shownAtAllPorts()).containsOnly(certificate(renewed));
    }
  }

  private static Map<String, String> files(Identity own, Identity... trusted) throws IOException {
    StringBuilder trust = new StringBuilder();
    for (Identity one : trusted) {
      trust.append(Files.readString(one.certificate()));
    }
    return Map.of(
        CERTIFICATE,
        Files.readString(own.certificate()),
        KEY,
        Files.readString(own.key()),
        TRUST,
        trust.toString());
  }

  /** Returns when both nodes go by them, if they do not already. */
  private static void swap(Map<String, String> files) throws IOException {
    boolean same = true;
    for (Map.Entry<String, String> one : files.entrySet()) {
      same &= Files.readString(secret.file(one.getKey())).equals(one.getValue());
    }
    if (same) {
      return;
    }
    List<Long> before = applied().toList();
    secret.swap(files);
    await()
        .until(
            () -> {
              List<Long> now = applied().toList();
              return Stream.iterate(0, i -> i < now.size(), i -> i + 1)
                  .allMatch(i -> now.get(i) > before.get(i));
            });
  }

  private static Stream<Long> applied() {
    return grid.nodes().stream()
        .map(one -> one.stats().reload())
        .flatMap(reload -> Stream.of(reload.laneTls().applied(), reload.gridTls().applied()));
  }

  private static ReloadStats.Source lane() {
    return node.stats().reload().laneTls();
  }

  private static ReloadStats.Source grid() {
    return node.stats().reload().gridTls();
  }

  private static int[] gridPorts() {
    return new int[] {node.settings().grid().port(), node.settings().grid().communicationPort()};
  }

  private static List<X509Certificate> shownAtAllPorts() throws Exception {
    int lane = Integer.parseInt(node.laneAddress().orElseThrow().split(":", -1)[1]);
    return List.of(
        greet(client(old), lane),
        greet(client(old), gridPorts()[0]),
        greet(client(old), gridPorts()[1]));
  }

  /** What the node shows; returns when it has accepted the client, or refused it. */
  private static X509Certificate greet(SSLContext client, int port) throws IOException {
    try (SSLSocket socket = (SSLSocket) client.getSocketFactory().createSocket("127.0.0.1", port)) {
      socket.setSoTimeout(SOON_MILLIS);
      socket.setEnabledProtocols(new String[] {"TLSv1.3"});
      socket.startHandshake();
      X509Certificate shown = (X509Certificate) socket.getSession().getPeerCertificates()[0];
      // Only now it has judged the client's; one that is accepted is answered, or let go.
      socket.shutdownOutput();
      int unused = socket.getInputStream().read();
      return shown;
    }
  }

  private static void refused(SSLContext client, int port) throws IOException {
    long before = refusals("certificate_unknown");
    try {
      X509Certificate unused = greet(client, port);
    } catch (IOException why) {
      // The end of the connection may overtake the alert that says why.
      assertThat(why.getMessage()).containsPattern("certificate|reset|Broken pipe|closed|abort");
    }
    await().until(() -> refusals("certificate_unknown") > before);
  }

  private static long refusals(String reason) {
    return node.stats().grid().refusals().getOrDefault(reason, -1L);
  }

  private static SSLContext client(Identity own) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry(
        "own",
        own.keyStore().getKey("own", Identity.password()),
        Identity.password(),
        new X509Certificate[] {certificate(own)});
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, Identity.password());
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("authority", certificate(authority));
    TrustManagerFactory trusts = TrustManagerFactory.getInstance("PKIX");
    trusts.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trusts.getTrustManagers(), null);
    return context;
  }

  private static X509Certificate certificate(Identity one)
      throws IOException, GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(
                new ByteArrayInputStream(
                    Files.readString(one.certificate()).getBytes(StandardCharsets.US_ASCII)));
  }

  private static long end(Identity one) throws IOException, GeneralSecurityException {
    return certificate(one).getNotAfter().toInstant().getEpochSecond();
  }

  private static LaneConnection connect(Identity own) throws IOException {
    return LaneConnection.open(
        new LaneAddress("tcp://" + node.laneAddress().orElseThrow(), "test"),
        Role.TRAINER,
        new LaneAccess(
            "",
            LaneTls.of(
                new Pem("trust", authority.certificate()),
                new Pem("certificate", own.certificate()),
                new Pem("key", own.key()))),
        "test",
        new LaneMemory(1 << 20),
        TimeUnit.MILLISECONDS.toNanos(SOON_MILLIS));
  }

  private static long soon() {
    return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(SOON_MILLIS);
  }
}
