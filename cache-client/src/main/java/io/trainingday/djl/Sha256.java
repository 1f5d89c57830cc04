package io.trainingday.djl;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The digest that every Java platform has. */
final class Sha256 {
  private static final int SHORT_BYTES = 16;

  private Sha256() {}

  static MessageDigest start() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  static byte[] of(byte[] bytes) {
    return start().digest(bytes);
  }

  /** The first 16 bytes as 32 lower-case hexadecimal digits. */
  static String hex(byte[] digest) {
    return HexFormat.of().formatHex(digest, 0, SHORT_BYTES);
  }
}
