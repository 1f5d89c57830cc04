package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.TestCertificates.Identity;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.X509ExtendedTrustManager;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong with PEM files is said in words, with the option that names the file. */
@Timeout(60)
class LaneTlsTest {
  private static Identity own;
  private static Identity other;

  @BeforeAll
  static void certificates(@TempDir Path directory) throws Exception {
    own = TestCertificates.selfSigned(directory, "own", "dns:localhost");
    other = TestCertificates.selfSigned(directory, "other", "dns:localhost");
  }

  @ParameterizedTest
  @ValueSource(strings = {"RSA", "EC", "Ed25519"})
  void of_keysOfAnyUsualKind_areTaken(String kind, @TempDir Path mine) throws Exception {
    Identity one = TestCertificates.selfSigned(mine, "one", kind, "dns:localhost");

    LaneTls tls = LaneTls.of(trust(one), certificate(one), key(one));

    assertThat(tls.client("localhost", 1).getEnabledProtocols()).containsExactly("TLSv1.3");
    assertThat(tls.server(true).getNeedClientAuth()).isTrue();
    assertThat(tls.server(false).getNeedClientAuth()).isFalse();
  }

  @Test
  void of_keyOfAnotherCertificate_isRefused() {
    refused(
        certificate(own),
        key(other),
        "tlsKey=%s is not the key of the first certificate (EC) in tlsCertificate=%s, give both from one pair"
            .formatted(other.key(), own.certificate()));
  }

  @Test
  void of_keyOfAnotherKind_isRefused(@TempDir Path mine) throws Exception {
    Identity rsa = TestCertificates.selfSigned(mine, "rsa", "RSA", "dns:localhost");

    refused(
        certificate(own),
        key(rsa),
        "tlsKey=%s is not the key of the first certificate (EC) in tlsCertificate=%s, give both from one pair"
            .formatted(rsa.key(), own.certificate()));
  }

  @Test
  void of_expiredCertificate_saysSince(@TempDir Path mine) throws Exception {
    Identity old = TestCertificates.expired(mine, "old", "dns:localhost");

    assertThatThrownBy(() -> LaneTls.of(trust(own), certificate(old), key(old)))
        .isInstanceOf(LaneTlsException.class)
        .message()
        .matches("tlsCertificate=.*old.pem expired at [-0-9T:]+Z, renew it");
  }

  @Test
  void of_missingFile_isRefused(@TempDir Path mine) {
    Path none = mine.resolve("none.pem");

    assertThatThrownBy(() -> LaneTls.of(new Pem("lane.tls.trust", none)))
        .isInstanceOf(LaneTlsException.class)
        .hasMessage(
            "lane.tls.trust=%s cannot be read (NoSuchFileException), give a PEM file that this user may read",
            none);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '\0',
      delimiter = '|',
      textBlock =
          """
          no pem at all                                              | has no CERTIFICATE block
          -----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----   | has a CERTIFICATE block that is no X.509 certificate
          -----BEGIN CERTIFICATE-----A=A-----END CERTIFICATE-----    | has a CERTIFICATE block that is no base64
          -----BEGIN CERTIFICATE-----AAAA-----END PRIVATE KEY-----   | has no CERTIFICATE block
          """)
  void of_brokenCertificate_saysHow(String text, String problem, @TempDir Path mine)
      throws Exception {
    Path file = Files.writeString(mine.resolve("broken.pem"), text);

    assertThatThrownBy(() -> LaneTls.of(new Pem("tlsTrust", file)))
        .isInstanceOf(LaneTlsException.class)
        .hasMessageStartingWith("tlsTrust=" + file + " " + problem);
  }

  @Test
  void of_keyInAnotherFormat_saysHowToConvertIt(@TempDir Path mine) throws Exception {
    Path old =
        Files.writeString(
            mine.resolve("old.pem"), TestCertificates.pem("EC PRIVATE KEY", new byte[] {1}));

    refused(
        certificate(own),
        new Pem("tlsKey", old),
        "tlsKey=%s has a EC PRIVATE KEY block, expected PRIVATE KEY; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
            .formatted(old));
  }

  @Test
  void of_noKey_isRefused() {
    refused(
        certificate(own),
        new Pem("tlsKey", own.certificate()),
        "tlsKey=%s has no PRIVATE KEY block, give a PEM file with one"
            .formatted(own.certificate()));
  }

  /** One that was trusted once may have expired since; only who is judged again is found out. */
  @Test
  void certificates_areJudgedAtEachConnection() throws Exception {
    LaneTls tls = LaneTls.of(trust(own), certificate(own), key(own));
    CountingTrust trust = new CountingTrust(tls.trust());
    SSLContext other = LaneTls.context(tls.keys(), trust);

    for (int judged = 1; judged <= 3; judged++) {
      handshake(other.createSSLEngine("localhost", 1), tls.server(true));
      assertThat(trust.judgedServers).isEqualTo(judged);
      handshake(tls.client("localhost", 1), other.createSSLEngine());
      assertThat(trust.judgedClients).isEqualTo(judged);
    }

    trust.judgedServers = 0;
    for (int i = 0; i < 2; i++) {
      handshake(other.createSSLEngine("localhost", 2), other.createSSLEngine());
    }
    assertThat(trust.judgedServers).as("of two that take up sessions").isEqualTo(1);
  }

  private static void handshake(SSLEngine client, SSLEngine server) throws SSLException {
    client.setUseClientMode(true);
    server.setUseClientMode(false);
    server.setNeedClientAuth(true);
    client.beginHandshake();
    server.beginHandshake();
    ByteBuffer fromClient = ByteBuffer.allocate(1 << 17).flip();
    ByteBuffer fromServer = ByteBuffer.allocate(1 << 17).flip();
    while (step(client, fromServer, fromClient) || step(server, fromClient, fromServer)) {}
    assertThat(client.getSession().getProtocol()).isEqualTo("TLSv1.3");
    assertThat(client.getHandshakeStatus()).isEqualTo(HandshakeStatus.NOT_HANDSHAKING);
    assertThat(server.getHandshakeStatus()).isEqualTo(HandshakeStatus.NOT_HANDSHAKING);
  }

  /** Whether the engine had anything to send or to take. */
  private static boolean step(SSLEngine engine, ByteBuffer in, ByteBuffer out) throws SSLException {
    runTasks(engine);
    SSLEngineResult result;
    if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
      out.compact();
      result = engine.wrap(ByteBuffer.allocate(0), out);
      out.flip();
    } else {
      result = engine.unwrap(in, ByteBuffer.allocate(1 << 15));
    }
    return result.bytesConsumed() + result.bytesProduced() > 0;
  }

  private static void runTasks(SSLEngine engine) {
    for (Runnable task; (task = engine.getDelegatedTask()) != null; ) {
      task.run();
    }
  }

  private static final class CountingTrust extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager trust;
    private int judgedClients;
    private int judgedServers;

    CountingTrust(X509ExtendedTrustManager trust) {
      this.trust = trust;
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      judgedClients++;
      trust.checkClientTrusted(chain, authType, engine);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
        throws CertificateException {
      judgedServers++;
      trust.checkServerTrusted(chain, authType, engine);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) {
      throw new UnsupportedOperationException();
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }

  @Test
  void toString_access_hidesTheToken() {
    assertThat(new LaneAccess("secret", null)).hasToString("LaneAccess[token=…, tls=false]");
    assertThat(LaneAccess.OPEN).hasToString("LaneAccess[token=none, tls=false]");
  }

  private static void refused(Pem certificate, Pem key, String message) {
    assertThatThrownBy(() -> LaneTls.of(trust(own), certificate, key))
        .isInstanceOf(LaneTlsException.class)
        .hasMessage(message);
  }

  private static Pem trust(Identity one) {
    return new Pem("tlsTrust", one.certificate());
  }

  private static Pem certificate(Identity one) {
    return new Pem("tlsCertificate", one.certificate());
  }

  private static Pem key(Identity one) {
    return new Pem("tlsKey", one.key());
  }
}
