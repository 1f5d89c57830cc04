package io.trainingday.lane;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * How the lane over TCP is encrypted: TLS 1.3 alone, with certificates from PEM files that are read
 * once. Immutable, for any number of connections and threads.
 */
public final class LaneTls {
  private static final String[] PROTOCOLS = {"TLSv1.3"};

  private final SSLContext context;

  /**
   * A file, and what its user calls it.
   *
   * @param option for messages, such as {@code lane.tls.key}
   */
  public record Pem(String option, Path file) {
    @Override
    public String toString() {
      return option + "=" + file;
    }
  }

  private LaneTls(SSLContext context) {
    this.context = context;
  }

  /** Trusts whoever shows a certificate that is signed by one in {@code trust}; shows none. */
  public static LaneTls of(Pem trust) throws LaneTlsException {
    return of(trust, null);
  }

  /**
   * Trusts likewise, and shows a certificate.
   *
   * @param certificate ours first, then the ones it was signed with
   * @param key of the first certificate, PKCS #8, not encrypted
   * @throws LaneTlsException when a file cannot be used; the message names it by its option
   */
  public static LaneTls of(Pem trust, Pem certificate, Pem key) throws LaneTlsException {
    List<X509Certificate> chain = PemFiles.certificates(certificate);
    PrivateKey secret = PemFiles.key(key, chain.get(0), certificate);
    try {
      KeyStore store = emptyStore();
      store.setKeyEntry("own", secret, new char[0], chain.toArray(X509Certificate[]::new));
      KeyManagerFactory keys =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(store, new char[0]);
      return of(trust, keys.getKeyManagers());
    } catch (IOException | GeneralSecurityException e) {
      throw new LaneTlsException("%s cannot be used: %s".formatted(certificate, e), e);
    }
  }

  private static LaneTls of(Pem trust, KeyManager @Nullable [] keys) throws LaneTlsException {
    List<X509Certificate> trusted = PemFiles.certificates(trust);
    try {
      KeyStore store = emptyStore();
      for (int i = 0; i < trusted.size(); i++) {
        store.setCertificateEntry("trusted-" + i, trusted.get(i));
      }
      TrustManagerFactory trusts =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trusts.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys, InTime.all(trusts.getTrustManagers()), null);
      return new LaneTls(context);
    } catch (IOException | GeneralSecurityException e) {
      throw new LaneTlsException("%s cannot be used: %s".formatted(trust, e), e);
    }
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  /**
   * Keys and trust for who makes its own connections, such as Ignite. Which protocols are spoken
   * and whether certificates are asked for is theirs to say.
   */
  public SSLContext context() {
    return context;
  }

  /** For one connection to a node; its certificate must be one for {@code host}. */
  public SSLEngine client(String host, int port) {
    SSLEngine engine = context.createSSLEngine(host, port);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    parameters.setProtocols(PROTOCOLS);
    engine.setSSLParameters(parameters);
    engine.setUseClientMode(true);
    return engine;
  }

  /**
   * For one connection that came in.
   *
   * @param clientCertificates whether the other side must show a certificate that is trusted
   */
  public SSLEngine server(boolean clientCertificates) {
    SSLEngine engine = context.createSSLEngine();
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(PROTOCOLS);
    parameters.setNeedClientAuth(clientCertificates);
    engine.setSSLParameters(parameters);
    engine.setUseClientMode(false);
    return engine;
  }
}
