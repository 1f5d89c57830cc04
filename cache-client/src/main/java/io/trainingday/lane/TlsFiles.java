package io.trainingday.lane;

import io.trainingday.lane.LaneTls.Pem;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * The PEM files that TLS goes by, and what they said when they were last read: certificates are
 * renewed every few weeks while nodes and trainers run. Thread-safe.
 */
public final class TlsFiles {
  /**
   * TLS allows no ticket of a session to live that long, so the JDK gives out none: with one, who
   * is trusted no longer would still come in, for the session's certificates are not judged again.
   */
  private static final int NO_TICKETS_SECONDS = (int) TimeUnit.DAYS.toSeconds(8);

  private final Pem trust;
  private final @Nullable Pem certificate;
  private final @Nullable Pem key;
  private volatile LaneTls current;
  private volatile LaneTls previous;

  private TlsFiles(Pem trust, @Nullable Pem certificate, @Nullable Pem key)
      throws LaneTlsException {
    this.trust = trust;
    this.certificate = certificate;
    this.key = key;
    this.current = read();
    this.previous = current;
  }

  /**
   * Reads the files of who shows no certificate.
   *
   * @throws LaneTlsException when it cannot be used; the message names it by its option
   */
  public static TlsFiles of(Pem trust) throws LaneTlsException {
    return new TlsFiles(trust, null, null);
  }

  /**
   * Reads the files; see {@link LaneTls#of(Pem, Pem, Pem)}.
   *
   * @throws LaneTlsException when one cannot be used; the message names it by its option
   */
  public static TlsFiles of(Pem trust, Pem certificate, Pem key) throws LaneTlsException {
    return new TlsFiles(trust, certificate, key);
  }

  private LaneTls read() throws LaneTlsException {
    return certificate == null || key == null
        ? LaneTls.of(trust)
        : LaneTls.of(trust, certificate, key);
  }

  /** What the files said when they were last read without fault. */
  public LaneTls current() {
    return current;
  }

  /**
   * Reads the files again. New connections go by what they say then; those that are there go on.
   *
   * @return whether they say anything else than before
   * @throws LaneTlsException when one cannot be used, or key and certificate are of two pairs; what
   *     was read before holds on
   */
  public synchronized boolean reload() throws LaneTlsException {
    LaneTls next = read();
    if (next.sameAs(current)) {
      return false;
    }
    previous = current;
    current = next;
    return true;
  }

  /**
   * Keys and trust for who makes its own connections from one context, such as Ignite: each goes by
   * what was last read when it is made. Which protocols are spoken and whether certificates are
   * asked for is theirs to say.
   *
   * @param refused told why a client is not trusted, on the thread that runs its handshake; it must
   *     return at once
   * @throws LaneTlsException when the JDK cannot make one
   */
  public SSLContext context(Consumer<CertificateException> refused) throws LaneTlsException {
    try {
      SSLContext context =
          LaneTls.context(
              certificate == null ? null : new CurrentKeys(this),
              new InTime(() -> current.trust(), refused));
      context.getServerSessionContext().setSessionTimeout(NO_TICKETS_SECONDS);
      return context;
    } catch (GeneralSecurityException e) {
      throw new LaneTlsException("%s cannot be used: %s".formatted(trust, e), e);
    }
  }

  /** What {@link #current} was before the last change. */
  LaneTls previous() {
    return previous;
  }
}
