package io.trainingday.lane;

import java.io.IOException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.util.Locale;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Certificates that cannot be used, or two ends of a connection that do not accept each other. The
 * message is a sentence for a person.
 */
public final class LaneTlsException extends IOException {
  private static final long serialVersionUID = 1L;

  LaneTlsException(String message) {
    super(message);
  }

  LaneTlsException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** What a failed handshake, or a broken record after it, means to whoever set things up. */
  static LaneTlsException of(LaneAddress address, SSLException failure) {
    String problem = problem(failure);
    return new LaneTlsException("TLS with the node at %s: %s".formatted(address, problem), failure);
  }

  private static String problem(SSLException failure) {
    String message = String.valueOf(failure.getMessage());
    if (find(failure, CertificateExpiredException.class) != null) {
      return "its certificate has expired; renew it";
    }
    if (find(failure, CertPathValidatorException.class) != null
        || message.contains("unable to find valid certification path")) {
      return "its certificate is signed by none of those trusted (%s); trust the one that signed it"
          .formatted(root(failure).getMessage());
    }
    CertificateException other = find(failure, CertificateException.class);
    if (other != null) {
      return "its certificate is another host's (%s); connect to a name that is in it, or have one made for this name"
          .formatted(other.getMessage());
    }
    if (message.contains("Received fatal alert")) {
      String alert = message.substring(message.indexOf(':') + 1).strip();
      return alert.toLowerCase(Locale.ROOT).contains("certificate")
          ? "it does not accept this side's certificate (%s); set one that it trusts"
              .formatted(alert)
          : "it refused (%s)".formatted(alert);
    }
    if (message.contains("Unsupported or unrecognized SSL message")
        || message.contains("plaintext connection")) {
      return "it speaks no TLS; set lane.tls.enabled of the node, or trust nothing here";
    }
    return message;
  }

  private static <T extends Throwable> @Nullable T find(Throwable failure, Class<T> type) {
    for (Throwable e = failure; e != null; e = e.getCause()) {
      if (type.isInstance(e)) {
        return type.cast(e);
      }
    }
    return null;
  }

  private static Throwable root(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }
}
