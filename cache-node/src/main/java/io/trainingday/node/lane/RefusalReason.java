package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Why a request or a connection was refused, as metrics count it. */
public enum RefusalReason {
  MALFORMED(true),
  UNSUPPORTED_VERSION(true),
  TOO_MANY(true),
  REFUSED(false),
  NO_SEGMENT(false),
  STOPPING(false),
  FAILED(false),
  TOO_LARGE(false),
  NOT_COLLATABLE(false),
  /** There is no token, or it is unknown. */
  TOKEN(true),
  /** The role is not granted, or may not do that. */
  ROLE(true),
  /** The token does not grant that of this data set. */
  GRANT(true),
  /** The data set is of another tenant. */
  TENANT(true),
  /** The other side's certificate is not valid any more, or not yet. */
  CERTIFICATE_EXPIRED(true),
  /** None that is trusted signed the other side's certificate. */
  CERTIFICATE_UNKNOWN(true),
  /** The other side shows no certificate. */
  CERTIFICATE_MISSING(true),
  /** The two ends do not agree on whether and how to encrypt. */
  TLS(true),
  /** No greeting in time. */
  SILENCE(true);

  /** Those of connections between the nodes, on Ignite's ports. */
  public static final Set<RefusalReason> GRID =
      Collections.unmodifiableSet(
          EnumSet.of(CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN, CERTIFICATE_MISSING, TLS));

  /** All; each may happen on the lane. */
  static final Set<RefusalReason> LANE =
      Collections.unmodifiableSet(EnumSet.allOf(RefusalReason.class));

  private final boolean operators;

  RefusalReason(boolean operators) {
    this.operators = operators;
  }

  static RefusalReason of(LaneException.Code code) {
    return code == LaneException.Code.DENIED ? ROLE : valueOf(code.name());
  }

  /** What the failure of a TLS handshake means. */
  public static RefusalReason ofTls(Throwable failure) {
    boolean untrusted = false;
    Throwable cause = failure;
    for (int depth = 0; cause != null && depth < 64; depth++) {
      if (cause instanceof CertificateExpiredException
          || cause instanceof CertificateNotYetValidException) {
        return CERTIFICATE_EXPIRED;
      }
      String message = String.valueOf(cause.getMessage());
      if (message.contains("Empty client certificate chain")) {
        return CERTIFICATE_MISSING;
      }
      untrusted |=
          cause instanceof CertPathValidatorException || cause instanceof CertificateException;
      cause = cause.getCause();
    }
    return untrusted ? CERTIFICATE_UNKNOWN : TLS;
  }

  /** In words, for the log. */
  String words() {
    return switch (this) {
      case CERTIFICATE_EXPIRED -> "its certificate is not valid any more, or not yet";
      case CERTIFICATE_UNKNOWN -> "its certificate is signed by none that is trusted here";
      case CERTIFICATE_MISSING -> "it shows no certificate";
      case TLS -> "no TLS is agreed on";
      default -> label();
    };
  }

  /** Whether it concerns who runs the node; anything else is told to the trainer alone. */
  boolean isForOperators() {
    return operators;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
