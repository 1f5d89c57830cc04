package io.trainingday.lane;

import io.trainingday.lane.LaneTls.Pem;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads certificates and keys from PEM files. */
final class PemFiles {
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\\s]*)-----END \\1-----");
  private static final String CERTIFICATE = "CERTIFICATE";
  private static final String PKCS8 = "PRIVATE KEY";

  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Block(String kind, byte[] bytes) {}

  private PemFiles() {}

  /** All certificates of the file, in its order; at least one. */
  static List<X509Certificate> certificates(Pem pem) throws LaneTlsException {
    List<X509Certificate> certificates = new ArrayList<>();
    for (Block block : blocks(pem)) {
      if (block.kind.equals(CERTIFICATE)) {
        certificates.add(certificate(pem, block));
      }
    }
    if (certificates.isEmpty()) {
      throw new LaneTlsException(
          "%s has no CERTIFICATE block, give a PEM file with one".formatted(pem));
    }
    return List.copyOf(certificates);
  }

  private static X509Certificate certificate(Pem pem, Block block) throws LaneTlsException {
    try {
      return (X509Certificate)
          CertificateFactory.getInstance("X.509")
              .generateCertificate(new ByteArrayInputStream(block.bytes));
    } catch (CertificateException e) {
      throw new LaneTlsException(
          "%s has a CERTIFICATE block that is no X.509 certificate: %s"
              .formatted(pem, e.getMessage()),
          e);
    }
  }

  /**
   * The key of a certificate.
   *
   * @param named where the certificate came from, for messages
   */
  static PrivateKey key(Pem pem, X509Certificate certificate, Pem named) throws LaneTlsException {
    try {
      certificate.checkValidity();
    } catch (CertificateExpiredException e) {
      throw new LaneTlsException(
          "%s expired at %s, renew it".formatted(named, certificate.getNotAfter().toInstant()), e);
    } catch (CertificateNotYetValidException e) {
      throw new LaneTlsException(
          "%s is valid from %s on, set the clock or wait"
              .formatted(named, certificate.getNotBefore().toInstant()),
          e);
    }
    Block block = keyBlock(pem);
    PublicKey open = certificate.getPublicKey();
    PrivateKey key;
    try {
      key =
          KeyFactory.getInstance(open.getAlgorithm())
              .generatePrivate(new PKCS8EncodedKeySpec(block.bytes));
    } catch (GeneralSecurityException e) {
      throw mismatch(pem, named, open, e);
    }
    try {
      if (!isKeyOf(key, open)) {
        throw mismatch(pem, named, open, null);
      }
      return key;
    } catch (GeneralSecurityException e) {
      throw mismatch(pem, named, open, e);
    }
  }

  private static Block keyBlock(Pem pem) throws LaneTlsException {
    List<Block> blocks = blocks(pem);
    for (Block block : blocks) {
      if (block.kind.equals(PKCS8)) {
        return block;
      }
    }
    for (Block block : blocks) {
      if (block.kind.endsWith(PKCS8)) {
        throw new LaneTlsException(
            "%s has a %s block, expected PRIVATE KEY; convert it: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
                .formatted(pem, block.kind));
      }
    }
    throw new LaneTlsException(
        "%s has no PRIVATE KEY block, give a PEM file with one".formatted(pem));
  }

  private static LaneTlsException mismatch(
      Pem pem, Pem named, PublicKey open, @Nullable Exception cause) {
    return new LaneTlsException(
        "%s is not the key of the first certificate (%s) in %s, give both from one pair"
            .formatted(pem, open.getAlgorithm(), named),
        cause);
  }

  /** Whether what one signs the other verifies. */
  private static boolean isKeyOf(PrivateKey key, PublicKey open) throws GeneralSecurityException {
    String algorithm =
        switch (open.getAlgorithm()) {
          case "EC" -> "SHA256withECDSA";
          case "RSA" -> "SHA256withRSA";
          default -> open.getAlgorithm();
        };
    byte[] text = "training-day".getBytes(StandardCharsets.UTF_8);
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    signature.update(text);
    byte[] signed = signature.sign();
    signature.initVerify(open);
    signature.update(text);
    return signature.verify(signed);
  }

  private static List<Block> blocks(Pem pem) throws LaneTlsException {
    String text;
    try {
      text = Files.readString(pem.file(), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new LaneTlsException(
          "%s cannot be read (%s), give a PEM file that this user may read"
              .formatted(pem, e.getClass().getSimpleName()),
          e);
    }
    List<Block> blocks = new ArrayList<>();
    Matcher matcher = BLOCK.matcher(text);
    while (matcher.find()) {
      try {
        byte[] bytes = Base64.getDecoder().decode(matcher.group(2).replaceAll("\\s", ""));
        blocks.add(new Block(matcher.group(1), bytes));
      } catch (IllegalArgumentException e) {
        throw new LaneTlsException(
            "%s has a %s block that is no base64: %s"
                .formatted(pem, matcher.group(1), e.getMessage()),
            e);
      }
    }
    return blocks;
  }
}
