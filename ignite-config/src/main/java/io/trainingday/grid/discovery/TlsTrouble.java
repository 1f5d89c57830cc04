package io.trainingday.grid.discovery;

import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.util.Locale;
import java.util.Optional;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** What it means to whoever set up this node that TLS with another one fails. */
final class TlsTrouble {
  /** The connection broke where TLS should have begun. */
  static final String ENDED =
      "it ends a TLS handshake without a word, as a node does that has no grid.tls.certificate;"
          + " set up grid.tls on both or on neither";

  private TlsTrouble() {}

  /** The failure of TLS that is behind another one. */
  static Optional<SSLException> in(Throwable failure) {
    return Optional.ofNullable(find(failure, SSLException.class));
  }

  static String of(SSLException failure) {
    if (find(failure, CertificateExpiredException.class) != null) {
      return "its certificate has expired; renew it";
    }
    if (find(failure, CertPathValidatorException.class) != null
        || find(failure, CertificateException.class) != null
        || message(failure).contains("unable to find valid certification path")) {
      return "its certificate is signed by none of those in grid.tls.trust; add the one that signed it";
    }
    String message = message(failure);
    if (message.contains("to one who speaks no TLS")) {
      return "it speaks TLS and this one does not; set grid.tls.certificate, grid.tls.key and"
          + " grid.tls.trust";
    }
    if (message.contains("Received fatal alert")) {
      String alert = message.substring(message.indexOf(':') + 1).strip();
      return alert.toLowerCase(Locale.ROOT).contains("certificate")
          ? "it does not accept grid.tls.certificate of this node (%s); take one that its grid.tls.trust signed"
              .formatted(alert)
          : "it refuses TLS (%s)".formatted(alert);
    }
    if (message.contains("Unsupported or unrecognized SSL message")
        || message.contains("terminated the handshake")) {
      return ENDED;
    }
    return "TLS with it fails: " + message;
  }

  private static String message(Throwable failure) {
    return String.valueOf(failure.getMessage());
  }

  private static <T extends Throwable> @Nullable T find(Throwable failure, Class<T> type) {
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < 64; depth++) {
      if (type.isInstance(cause)) {
        return type.cast(cause);
      }
      cause = cause.getCause();
    }
    return null;
  }
}
