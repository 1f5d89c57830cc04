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
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** The certificates of {@code grid.tls}, which Ignite's ports show and trust. Thread-safe. */
public final class GridTls {
  /** Ignite tells no reasons of its communication port, but runs handshakes where it logs them. */
  private static final ThreadLocal<@Nullable Refusal> REFUSED = new ThreadLocal<>();

  /** A refusal is told at once, or never: then it is no reason of what is told later. */
  private static final long TOLD_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(1);

  private record Refusal(CertificateException why, long atNanos) {}

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
      return Optional.of(files.context(GridTls::refused));
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

  static void refused(CertificateException why) {
    REFUSED.set(new Refusal(why, System.nanoTime()));
  }

  /**
   * Why a certificate was refused last on this thread, within the last second and since this was
   * asked before.
   */
  public static Optional<CertificateException> takeRefusal() {
    return takeRefusal(System.nanoTime());
  }

  static Optional<CertificateException> takeRefusal(long nowNanos) {
    Refusal last = REFUSED.get();
    REFUSED.remove();
    return last == null || nowNanos - last.atNanos() > TOLD_WITHIN_NANOS
        ? Optional.empty()
        : Optional.of(last.why());
  }
}
