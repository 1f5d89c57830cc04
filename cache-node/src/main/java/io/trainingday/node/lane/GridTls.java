package io.trainingday.node.lane;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;

/** Reads the certificates of {@code grid.tls}, which Ignite's ports show and trust. */
public final class GridTls {
  private GridTls() {}

  /**
   * Keys and trust, empty where Ignite's ports have no TLS.
   *
   * @throws LaneStartException when a file cannot be used
   */
  public static Optional<SSLContext> read(Settings.GridTls tls) {
    if (!tls.isEnabled()) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          LaneTls.of(
                  pem(SettingKey.GRID_TLS_TRUST, tls.trust()),
                  pem(SettingKey.GRID_TLS_CERTIFICATE, tls.certificate()),
                  pem(SettingKey.GRID_TLS_KEY, tls.key()))
              .context());
    } catch (LaneTlsException e) {
      throw new LaneStartException(String.valueOf(e.getMessage()), e);
    }
  }

  private static Pem pem(SettingKey<Settings, Path> key, Optional<Path> file) {
    return new Pem(key.name(), file.orElseThrow());
  }
}
