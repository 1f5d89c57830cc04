package io.trainingday.client;

import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import io.trainingday.lane.TlsFiles;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What connections over TCP show: what the caller gave, else what the environment says. Files are
 * looked at for each connection, since certificates are renewed while a training runs. Thread-safe.
 */
final class Access {
  private static final Logger LOG = LoggerFactory.getLogger(Access.class);

  static final String TOKEN_VARIABLE = "TRAINING_DAY_TOKEN";
  static final String TRUST_VARIABLE = "TRAINING_DAY_TLS_TRUST";
  static final String CERTIFICATE_VARIABLE = "TRAINING_DAY_TLS_CERTIFICATE";
  static final String KEY_VARIABLE = "TRAINING_DAY_TLS_KEY";

  private static final int MAX_TOKEN_CHARS = 4_096;

  private final String token;
  private final @Nullable TlsFiles tls;
  // Guarded by this.
  private String said = "";

  private Access(String token, @Nullable TlsFiles tls) {
    this.token = token;
    this.tls = tls;
  }

  /**
   * Reads the files.
   *
   * @throws IllegalArgumentException if they cannot be used, or one is missing
   */
  static Access of(TrainingCache.Config config, Map<String, String> environment) {
    String given = config.token();
    String token = given != null ? given : environment.getOrDefault(TOKEN_VARIABLE, "").strip();
    if (!token.chars().allMatch(c -> c > ' ' && c <= '~') || token.length() > MAX_TOKEN_CHARS) {
      throw new IllegalArgumentException(
          "%s is no token, take up to %d printable ASCII characters without spaces"
              .formatted(given != null ? "token" : TOKEN_VARIABLE, MAX_TOKEN_CHARS));
    }
    Pem trust = pem("tlsTrust", config.tlsTrust(), TRUST_VARIABLE, environment);
    Pem certificate =
        pem("tlsCertificate", config.tlsCertificate(), CERTIFICATE_VARIABLE, environment);
    Pem key = pem("tlsKey", config.tlsKey(), KEY_VARIABLE, environment);
    try {
      return new Access(token, tls(trust, certificate, key));
    } catch (LaneTlsException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  /**
   * For a connection that is made now, by the files as they are now. Files that cannot be used are
   * told once, and what was read before holds on.
   */
  LaneAccess now() {
    if (tls == null) {
      return new LaneAccess(token, null);
    }
    try {
      if (tls.reload()) {
        LOG.info("Changed certificates were read; new connections go by them.");
      }
      say("");
    } catch (LaneTlsException e) {
      say(String.valueOf(e.getMessage()));
    }
    return new LaneAccess(token, tls.current());
  }

  private synchronized void say(String problem) {
    if (!problem.isEmpty() && !problem.equals(said)) {
      LOG.warn("Changed certificates cannot be used, those read before hold on: {}", problem);
    }
    said = problem;
  }

  private static @Nullable TlsFiles tls(
      @Nullable Pem trust, @Nullable Pem certificate, @Nullable Pem key) throws LaneTlsException {
    if (trust == null && certificate == null && key == null) {
      return null;
    }
    if (trust == null) {
      throw new IllegalArgumentException(
          "%s, but tlsTrust is not set; set it to the certificates that sign those of the nodes"
              .formatted(certificate == null ? key : certificate));
    }
    if (certificate == null && key == null) {
      return TlsFiles.of(trust);
    }
    if (certificate == null || key == null) {
      throw new IllegalArgumentException(
          certificate == null
              ? "%s, but tlsCertificate is not set; set both or none".formatted(key)
              : "%s, but tlsKey is not set; set both or none".formatted(certificate));
    }
    return TlsFiles.of(trust, certificate, key);
  }

  private static @Nullable Pem pem(
      String option, @Nullable Path given, String variable, Map<String, String> environment) {
    if (given != null) {
      return new Pem(option, given);
    }
    String path = environment.getOrDefault(variable, "");
    return path.isEmpty() ? null : new Pem(variable, Path.of(path));
  }
}
