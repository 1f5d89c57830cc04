package io.trainingday.lane;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Objects;
import java.util.function.Function;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/**
 * Shows on each connection the certificate that is current when it is made. TLS chooses a name
 * first and asks for its certificate and key after that; the files may have been read anew in
 * between, so those of the reading before are given too.
 */
final class CurrentKeys extends X509ExtendedKeyManager {
  private final TlsFiles files;

  CurrentKeys(TlsFiles files) {
    this.files = files;
  }

  private X509ExtendedKeyManager now() {
    return Objects.requireNonNull(files.current().keys());
  }

  private <T> @Nullable T named(Function<X509ExtendedKeyManager, @Nullable T> of) {
    // In this order: a name that is just becoming the previous one is found by the second look.
    T current = of.apply(now());
    return current != null ? current : of.apply(Objects.requireNonNull(files.previous().keys()));
  }

  @Override
  public @Nullable String chooseEngineClientAlias(
      String[] keyType, Principal @Nullable [] issuers, SSLEngine engine) {
    return now().chooseEngineClientAlias(keyType, issuers, engine);
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, SSLEngine engine) {
    return now().chooseEngineServerAlias(keyType, issuers, engine);
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyType, Principal @Nullable [] issuers, Socket socket) {
    return now().chooseClientAlias(keyType, issuers, socket);
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, Socket socket) {
    return now().chooseServerAlias(keyType, issuers, socket);
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return now().getClientAliases(keyType, issuers);
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return now().getServerAliases(keyType, issuers);
  }

  @Override
  public X509Certificate @Nullable [] getCertificateChain(String alias) {
    return named(keys -> keys.getCertificateChain(alias));
  }

  @Override
  public @Nullable PrivateKey getPrivateKey(String alias) {
    return named(keys -> keys.getPrivateKey(alias));
  }
}
