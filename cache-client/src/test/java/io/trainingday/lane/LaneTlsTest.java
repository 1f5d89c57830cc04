package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.TestCertificates.Identity;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong with PEM files is said in words, with the option that names the file. */
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
