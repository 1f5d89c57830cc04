package io.trainingday.node.lane;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import io.trainingday.lane.TlsFiles;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.time.Instant;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** The certificates of {@code grid.tls}, which Ignite's ports show and trust. Thread-safe. */
public final class GridTls {
  /** Ignite tells no reasons of its communication port, but runs handshakes where it logs them. */
  private static final ThreadLocal<@Nullable CertificateException> REFUSED = new ThreadLocal<>();

  private final @Nullable TlsFiles files;

  private GridTls(@Nullable TlsFiles files) {
    this.files = files;
  }

  /**
   * Reads the files, if there are any.
   *
   * @throws LaneStartException when one cannot be used
   */
  public static GridTls read(Settings.GridTls tls) {
    if (!tls.isEnabled()) {
      return new GridTls(null);
    }
    try {
      return new GridTls(
          TlsFiles.of(
              pem(SettingKey.GRID_TLS_TRUST, tls.trust()),
              pem(SettingKey.GRID_TLS_CERTIFICATE, tls.certificate()),
              pem(SettingKey.GRID_TLS_KEY, tls.key())));
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Pem pem(SettingKey<Settings, Path> key, Optional<Path> file) {
    return new Pem(key.name(), file.orElseThrow());
  }

  /** Keys and trust as they were read last at each connection; empty without TLS. */
  public Optional<SSLContext> context() {
    if (files == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(files.context(REFUSED::set));
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * Reads the files again.
   *
   * @return whether they say anything new
   * @throws LaneStartException when one cannot be used; what was read before holds on
   */
  public boolean reload() {
    try {
      return files != null && files.reload();
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  /** When what this node shows ends to be valid, empty without TLS. */
  public Optional<Instant> expiry() {
    return files == null ? Optional.empty() : files.current().expiry();
  }

  /** Why a certificate was refused last on this thread, since this was asked before. */
  public static Optional<CertificateException> takeRefusal() {
    CertificateException why = REFUSED.get();
    REFUSED.remove();
    return Optional.ofNullable(why);
  }
}
