package io.trainingday.lane;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts as another one does, but nobody before or after the time of the certificate: the JDK takes
 * a certificate that is trusted by itself, not by who signed it, however old it is.
 */
final class InTime extends X509ExtendedTrustManager {
  private final Supplier<X509ExtendedTrustManager> other;
  private final Consumer<CertificateException> refused;

  private interface Check {
    void by(X509ExtendedTrustManager other) throws CertificateException;
  }

  /**
   * @param other asked for at each connection
   * @param refused told why a client is not trusted, on the thread of its handshake
   */
  InTime(Supplier<X509ExtendedTrustManager> other, Consumer<CertificateException> refused) {
    this.other = other;
    this.refused = refused;
  }

  private void check(X509Certificate[] chain, Check check) throws CertificateException {
    check.by(other.get());
    chain[0].checkValidity();
  }

  private void checkClient(X509Certificate[] chain, Check check) throws CertificateException {
    try {
      check(chain, check);
    } catch (CertificateException e) {
      refused.accept(e);
      throw e;
    }
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkClient(chain, one -> one.checkClientTrusted(chain, authType, socket));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    check(chain, one -> one.checkServerTrusted(chain, authType, socket));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkClient(chain, one -> one.checkClientTrusted(chain, authType, engine));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    check(chain, one -> one.checkServerTrusted(chain, authType, engine));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    checkClient(chain, one -> one.checkClientTrusted(chain, authType));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    check(chain, one -> one.checkServerTrusted(chain, authType));
  }

  /**
   * None are told. A client that is told whom we trust keeps back a certificate of anybody else,
   * and then neither end can say what is wrong with it.
   */
  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
