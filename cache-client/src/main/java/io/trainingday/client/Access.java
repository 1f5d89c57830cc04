package io.trainingday.client;

import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Finds what a connection over TCP shows: what the caller gave, else what the environment says. */
final class Access {
  static final String TOKEN_VARIABLE = "TRAINING_DAY_TOKEN";
  static final String TRUST_VARIABLE = "TRAINING_DAY_TLS_TRUST";
  static final String CERTIFICATE_VARIABLE = "TRAINING_DAY_TLS_CERTIFICATE";
  static final String KEY_VARIABLE = "TRAINING_DAY_TLS_KEY";

  private static final int MAX_TOKEN_CHARS = 4_096;

  private Access() {}

  /**
   * Reads the files, once.
   *
   * @throws IllegalArgumentException if they cannot be used, or one is missing
   */
  static LaneAccess of(TrainingCache.Config config, Map<String, String> environment) {
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
      return new LaneAccess(token, tls(trust, certificate, key));
    } catch (LaneTlsException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private static @Nullable LaneTls tls(
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
      return LaneTls.of(trust);
    }
    if (certificate == null || key == null) {
      throw new IllegalArgumentException(
          certificate == null
              ? "%s, but tlsCertificate is not set; set both or none".formatted(key)
              : "%s, but tlsKey is not set; set both or none".formatted(certificate));
    }
    return LaneTls.of(trust, certificate, key);
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
