package io.trainingday.bench.peer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.trainingday.bench.path.BenchException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import java.util.Objects;

/** A certificate for loopback that signs itself, and its key: PEM files for one run. */
record Tls(Path certificate, Path key) {
  private static final String PASSWORD = "for-one-run";
  private static final String ALIAS = "bench";
  private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, new byte[] {'\n'});

  /** The files in a directory where {@link #create} has made them. */
  static Tls in(Path directory) {
    return new Tls(directory.resolve("bench.pem"), directory.resolve("bench.key"));
  }

  static void create(Path directory) {
    Path store = directory.resolve("bench.p12");
    Tls files = in(directory);
    try {
      keytool(store);
      KeyStore keys = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        keys.load(in, PASSWORD.toCharArray());
      }
      write(files.certificate, "CERTIFICATE", keys.getCertificate(ALIAS).getEncoded());
      write(
          files.key,
          "PRIVATE KEY",
          Objects.requireNonNull(keys.getKey(ALIAS, PASSWORD.toCharArray())).getEncoded());
    } catch (IOException | GeneralSecurityException failure) {
      throw new BenchException("no certificate can be made: " + failure.getMessage(), failure);
    }
  }

  /** The JDK makes certificates with its tool alone. */
  private static void keytool(Path store) throws IOException {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                    "-genkeypair",
                    "-alias",
                    ALIAS,
                    "-keyalg",
                    "EC",
                    "-groupname",
                    "secp256r1",
                    "-dname",
                    "CN=localhost",
                    "-ext",
                    "san=dns:localhost,ip:127.0.0.1",
                    "-validity",
                    "2",
                    "-storetype",
                    "PKCS12",
                    "-keystore",
                    store.toString(),
                    "-storepass",
                    PASSWORD))
            .redirectErrorStream(true)
            .start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    try {
      if (process.waitFor() != 0) {
        throw new BenchException("keytool makes no certificate: " + printed);
      }
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new BenchException("interrupted", stop);
    }
  }

  private static void write(Path file, String what, byte[] content) throws IOException {
    Files.writeString(
        file,
        "-----BEGIN %s-----\n%s\n-----END %s-----\n"
            .formatted(what, LINES.encodeToString(content), what));
  }
}
