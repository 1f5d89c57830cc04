package io.trainingday.node;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Makes certificates with the JDK's keytool, and the PEM files of them. */
public final class TestCertificates {
  private static final String PASSWORD = "changeit";
  private static final Base64.Encoder BASE64 = Base64.getMimeEncoder(64, new byte[] {'\n'});

  /** A certificate with its key, as PEM files and as key store. */
  public record Identity(Path certificate, Path key, Path store) {
    public KeyStore keyStore() throws IOException, GeneralSecurityException {
      KeyStore keys = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        keys.load(in, PASSWORD.toCharArray());
      }
      return keys;
    }

    public static char[] password() {
      return PASSWORD.toCharArray();
    }
  }

  private TestCertificates() {}

  /**
   * Signed by itself.
   *
   * @param names the hosts it is for, such as {@code ip:127.0.0.1,dns:localhost}
   */
  public static Identity selfSigned(Path directory, String name, String names)
      throws IOException, GeneralSecurityException {
    Path store = generate(directory, name, "EC", "-ext", "SAN=" + names);
    return identity(directory, name, store);
  }

  /** Was valid once. */
  public static Identity expired(Path directory, String name, String names)
      throws IOException, GeneralSecurityException {
    Path store =
        generate(
            directory, name, "EC", "-ext", "SAN=" + names, "-startdate", "-10d", "-validity", "5");
    return identity(directory, name, store);
  }

  /** Signs certificates of others; its own is to be trusted. */
  public static Identity authority(Path directory, String name)
      throws IOException, GeneralSecurityException {
    return identity(
        directory, name, generate(directory, name, "EC", "-ext", "bc:critical=ca:true"));
  }

  /**
   * Signed by an authority; its key store has the key alone.
   *
   * @param days for which it is valid
   */
  public static Identity signed(
      Path directory, String name, String names, Identity authority, int days)
      throws IOException, GeneralSecurityException {
    Identity own = identity(directory, name, generate(directory, name, "EC"));
    Path request = directory.resolve(name + ".csr");
    keytool(
        "-certreq", "-alias", "own", "-keystore", own.store().toString(), "-file", "" + request);
    keytool(
        "-gencert",
        "-alias",
        "own",
        "-keystore",
        authority.store().toString(),
        "-infile",
        request.toString(),
        "-outfile",
        own.certificate().toString(),
        "-rfc",
        "-ext",
        "SAN=" + names,
        "-validity",
        Integer.toString(days));
    return own;
  }

  private static Path generate(Path directory, String name, String keys, String... more)
      throws IOException {
    Path store = directory.resolve(name + ".p12");
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "-genkeypair",
                "-keyalg",
                keys,
                "-alias",
                "own",
                "-keystore",
                store.toString(),
                "-dname",
                "CN=" + name));
    arguments.addAll(List.of(more));
    keytool(arguments.toArray(String[]::new));
    return store;
  }

  private static Identity identity(Path directory, String name, Path store)
      throws IOException, GeneralSecurityException {
    Identity identity =
        new Identity(directory.resolve(name + ".pem"), directory.resolve(name + ".key.pem"), store);
    KeyStore keys = identity.keyStore();
    StringBuilder chain = new StringBuilder();
    for (Certificate certificate : keys.getCertificateChain("own")) {
      chain.append(pem("CERTIFICATE", certificate.getEncoded()));
    }
    Files.writeString(identity.certificate(), chain);
    Files.writeString(
        identity.key(),
        pem("PRIVATE KEY", keys.getKey("own", PASSWORD.toCharArray()).getEncoded()));
    return identity;
  }

  public static String pem(String kind, byte[] bytes) {
    return "-----BEGIN %s-----%n%s%n-----END %s-----%n"
        .formatted(kind, BASE64.encodeToString(bytes), kind);
  }

  private static void keytool(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.add("-J-XX:TieredStopAtLevel=1"); // Half the time.
    command.addAll(List.of("-storetype", "PKCS12", "-storepass", PASSWORD));
    command.add(1, arguments[0]);
    command.addAll(List.of(arguments).subList(1, arguments.length));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(1, TimeUnit.MINUTES) || process.exitValue() != 0) {
        throw new AssertionError(String.join(" ", command) + ": " + said);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
