package io.trainingday.lane;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts as another one does, but nobody before or after the time of the certificate: the JDK takes
 * a certificate that is trusted by itself, not by who signed it, however old it is.
 */
final class InTime extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager other;

  private InTime(X509ExtendedTrustManager other) {
    this.other = other;
  }

  static TrustManager[] all(TrustManager[] others) {
    TrustManager[] all = others.clone();
    for (int i = 0; i < all.length; i++) {
      if (all[i] instanceof X509ExtendedTrustManager other) {
        all[i] = new InTime(other);
      }
    }
    return all;
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    other.checkClientTrusted(chain, authType, socket);
    chain[0].checkValidity();
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    other.checkServerTrusted(chain, authType, socket);
    chain[0].checkValidity();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    other.checkClientTrusted(chain, authType, engine);
    chain[0].checkValidity();
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    other.checkServerTrusted(chain, authType, engine);
    chain[0].checkValidity();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    other.checkClientTrusted(chain, authType);
    chain[0].checkValidity();
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    other.checkServerTrusted(chain, authType);
    chain[0].checkValidity();
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
