package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.node.TestCertificates.Identity;
import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Shows a certificate that was good once, which our own clients refuse to. */
final class ExpiredClient {
  private ExpiredClient() {}

  /** Returns when the node has refused it. */
  static void connect(Identity expired, Identity node, int port)
      throws IOException, GeneralSecurityException {
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(expired.keyStore(), Identity.password());
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("node", (X509Certificate) node.keyStore().getCertificate("own"));
    TrustManagerFactory trusts = TrustManagerFactory.getInstance("PKIX");
    trusts.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trusts.getTrustManagers(), null);
    try (SSLSocket socket =
        (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
      socket.setSoTimeout(60_000);
      socket.startHandshake();
      InputStream in = socket.getInputStream();
      assertThat(in.read()).isNegative();
    } catch (IOException refused) {
      // The reset of the connection may overtake the alert that says why.
      assertThat(refused.getMessage())
          .containsPattern("certificate|reset|Broken pipe|closed|abort");
    }
  }
}
