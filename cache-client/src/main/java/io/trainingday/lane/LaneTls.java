package io.trainingday.lane;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * How the lane over TCP is encrypted: TLS 1.3 alone, with certificates from PEM files as they were
 * when it was made; {@link TlsFiles} makes another one when they change. Immutable, for any number
 * of connections and threads.
 *
 * <p>No session is taken up again: the certificates of one are not judged anew, so who showed one
 * that has expired since would still come in.
 */
public final class LaneTls {
  private static final String[] PROTOCOLS = {"TLSv1.3"};

  private static final AtomicLong MADE = new AtomicLong();

  private final List<X509Certificate> trusted;
  private final @Nullable Own own;
  private final @Nullable X509ExtendedKeyManager keys;
  private final X509ExtendedTrustManager trust;

  /** What is shown to the other side. */
  private record Own(List<X509Certificate> chain, PrivateKey key) {}

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

  private LaneTls(
      List<X509Certificate> trusted,
      @Nullable Own own,
      @Nullable X509ExtendedKeyManager keys,
      X509ExtendedTrustManager trust) {
    this.trusted = trusted;
    this.own = own;
    this.keys = keys;
    this.trust = trust;
  }

  /** Trusts whoever shows a certificate that is signed by one in {@code trust}; shows none. */
  public static LaneTls of(Pem trust) throws LaneTlsException {
    return make(trust, null, null);
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
    Own own = new Own(chain, PemFiles.key(key, chain.get(0), certificate));
    try {
      return make(trust, own, keys(own));
    } catch (IOException | GeneralSecurityException e) {
      if (e instanceof LaneTlsException said) {
        throw said;
      }
      throw new LaneTlsException("%s cannot be used: %s".formatted(certificate, e), e);
    }
  }

  private static X509ExtendedKeyManager keys(Own own) throws IOException, GeneralSecurityException {
    KeyStore store = emptyStore();
    // Of no other one, so that who asks for a key by its name gets this one or none.
    store.setKeyEntry(
        "own-" + MADE.incrementAndGet(),
        own.key(),
        new char[0],
        own.chain().toArray(X509Certificate[]::new));
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(store, new char[0]);
    return only(X509ExtendedKeyManager.class, factory.getKeyManagers());
  }

  private static LaneTls make(Pem trust, @Nullable Own own, @Nullable X509ExtendedKeyManager keys)
      throws LaneTlsException {
    List<X509Certificate> trusted = PemFiles.certificates(trust);
    try {
      KeyStore store = emptyStore();
      for (int i = 0; i < trusted.size(); i++) {
        store.setCertificateEntry("trusted-" + i, trusted.get(i));
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      X509ExtendedTrustManager any =
          only(X509ExtendedTrustManager.class, factory.getTrustManagers());
      return new LaneTls(trusted, own, keys, new InTime(() -> any, refused -> {}));
    } catch (IOException | GeneralSecurityException e) {
      throw new LaneTlsException("%s cannot be used: %s".formatted(trust, e), e);
    }
  }

  private static <T> T only(Class<T> type, Object[] managers) throws GeneralSecurityException {
    for (Object manager : managers) {
      if (type.isInstance(manager)) {
        return type.cast(manager);
      }
    }
    throw new GeneralSecurityException("this JDK has no " + type.getSimpleName());
  }

  /** A context that goes by these. */
  static SSLContext context(@Nullable X509ExtendedKeyManager keys, X509ExtendedTrustManager trust)
      throws GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys == null ? null : new KeyManager[] {keys}, new TrustManager[] {trust}, null);
    return context;
  }

  /** For one connection: sessions, and the keys of their tickets, are of a context. */
  private SSLContext ownContext() {
    try {
      return context(keys, trust);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK has no TLS", e);
    }
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  /** Whether both show and trust the same. */
  boolean sameAs(LaneTls other) {
    return trusted.equals(other.trusted) && Objects.equals(own, other.own);
  }

  /** What is shown, null for nothing. */
  @Nullable X509ExtendedKeyManager keys() {
    return keys;
  }

  X509ExtendedTrustManager trust() {
    return trust;
  }

  /** Until when what it shows is valid: the shortest of its certificates. Empty: it shows none. */
  public Optional<Instant> expiry() {
    return own == null
        ? Optional.empty()
        : own.chain().stream()
            .map(one -> one.getNotAfter().toInstant())
            .min(Comparator.naturalOrder());
  }

  /** For one connection to a node; its certificate must be one for {@code host}. */
  public SSLEngine client(String host, int port) {
    SSLEngine engine = ownContext().createSSLEngine(host, port);
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
    SSLEngine engine = ownContext().createSSLEngine();
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(PROTOCOLS);
    parameters.setNeedClientAuth(clientCertificates);
    engine.setSSLParameters(parameters);
    engine.setUseClientMode(false);
    return engine;
  }
}
