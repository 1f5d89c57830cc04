package io.trainingday.node.lane;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import io.trainingday.lane.TlsFiles;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import org.jspecify.annotations.Nullable;

/** What the lane over TCP asks of those who connect, and shows to the nodes it connects to. */
final class TcpAccess implements Grants {
  private final @Nullable TlsFiles tls;
  private final boolean clientCertificates;
  private final Optional<Path> tokensFile;
  private volatile @Nullable Tokens tokens;

  private TcpAccess(@Nullable TlsFiles tls, boolean clientCertificates, Optional<Path> tokensFile) {
    this.tls = tls;
    this.clientCertificates = clientCertificates;
    this.tokensFile = tokensFile;
    this.tokens = tokensFile.map(Tokens::read).orElse(null);
  }

  /**
   * Reads certificates and tokens.
   *
   * @throws LaneStartException when a file cannot be used
   */
  static TcpAccess of(Settings.Lane lane) {
    return new TcpAccess(
        lane.tls().enabled() ? tls(lane.tls()) : null,
        lane.tls().clientCertificates(),
        lane.tokensFile());
  }

  /**
   * Reads the tokens again.
   *
   * @return whether the file says anything else than before
   * @throws LaneStartException when it cannot be used; what was read before holds on
   */
  boolean reloadTokens() {
    Tokens before = tokens;
    if (tokensFile.isEmpty() || before == null) {
      return false;
    }
    Tokens next = Tokens.read(tokensFile.get());
    tokens = next;
    return !next.sameAs(before);
  }

  /**
   * Reads the certificates again.
   *
   * @return whether they say anything else than before
   * @throws LaneStartException when one cannot be used; what was read before holds on
   */
  boolean reloadTls() {
    try {
      return tls != null && tls.reload();
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  /** When what this node shows ends to be valid, empty without TLS. */
  Optional<Instant> expiry() {
    return tls == null ? Optional.empty() : tls.current().expiry();
  }

  private static TlsFiles tls(Settings.Tls tls) {
    try {
      return TlsFiles.of(
          pem(SettingKey.LANE_TLS_TRUST, tls.trust()),
          pem(SettingKey.LANE_TLS_CERTIFICATE, tls.certificate()),
          pem(SettingKey.LANE_TLS_KEY, tls.key()));
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Pem pem(SettingKey<Settings, Path> key, Optional<Path> file) {
    return new Pem(key.name(), file.orElseThrow());
  }

  /** Whether tokens are asked for, and so tenants told apart. */
  boolean hasTokens() {
    return tokens != null;
  }

  /** Of all tokens that may greet as anything but a node. */
  Set<String> tenants() {
    Tokens current = tokens;
    return current == null ? Set.of() : current.tenants();
  }

  @Override
  public @Nullable Grant of(String token) {
    Tokens current = tokens;
    return current == null ? Grant.ALL : current.find(token).orElse(null);
  }

  @Override
  public boolean isTenant(String name) {
    Tokens current = tokens;
    return current != null && current.isTenant(name);
  }

  /** For a connection that came in; null where there is no TLS. */
  @Nullable SSLEngine engine() {
    return tls == null ? null : tls.current().server(clientCertificates);
  }

  /** What this node shows to another one now. */
  LaneAccess toPeers() {
    Tokens current = tokens;
    return new LaneAccess(
        current == null ? "" : current.peerToken().orElse(""), tls == null ? null : tls.current());
  }
}
