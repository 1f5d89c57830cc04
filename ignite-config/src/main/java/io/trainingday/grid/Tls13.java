package io.trainingday.grid;

import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.apache.ignite.ssl.SSLContextWrapper;

/** TLS 1.3 on whatever Ignite makes of a context: left to itself it would also speak 1.2. */
final class Tls13 {
  private Tls13() {}

  static SSLContext only(SSLContext context) {
    SSLParameters parameters = context.getDefaultSSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    return new SSLContextWrapper(context, parameters);
  }
}
