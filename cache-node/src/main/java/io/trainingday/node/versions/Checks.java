package io.trainingday.node.versions;

import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.regex.Pattern;

/** Limits of names and texts, and the hash that stands for them in keys. */
final class Checks {
  static final int MAX_NAME_BYTES = 255;
  static final int MAX_DIGEST_BYTES = 1 << 10;
  static final int MAX_PIPELINE_BYTES = 32 << 10;
  static final int MAX_SETTING_BYTES = 255;
  static final int MAX_REQUEST_ID_BYTES = 64;
  static final int MAX_DESCRIPTION_BYTES = 64 << 10;

  private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9._-]{1,63}");

  private Checks() {}

  static void tenant(String tenant) {
    if (!TENANT.matcher(tenant).matches()) {
      throw malformed(
          "tenant=\"%s\", take 1 to 63 of A-Z a-z 0-9 . _ -".formatted(shortened(tenant)));
    }
  }

  static void name(String name) {
    text("data set name", name, 1, MAX_NAME_BYTES);
    if (name.chars().anyMatch(Character::isISOControl)) {
      throw malformed(
          "data set name \"%s\" has a control character, leave it out"
              .formatted(name.replaceAll("\\p{Cntrl}", "?")));
    }
  }

  static void text(String what, String text, int minBytes, int maxBytes) {
    // UTF-8 takes at least one byte a char: the cheap check comes before the copy.
    long bytes =
        text.length() > maxBytes ? text.length() : text.getBytes(StandardCharsets.UTF_8).length;
    if (bytes < minBytes || bytes > maxBytes) {
      throw malformed(
          "%s \"%s\" has %d bytes, take %d to %d"
              .formatted(what, shortened(text), bytes, minBytes, maxBytes));
    }
  }

  /** The beginning of a text that may be long. */
  static String shortened(String text) {
    return text.length() <= 80 ? text : text.substring(0, 80) + "…";
  }

  static DatasetRefusedException malformed(String message) {
    return new DatasetRefusedException(Reason.MALFORMED, message);
  }

  /** The first 8 bytes of SHA-256, big-endian. */
  static long hash(String text) {
    return hash(text.getBytes(StandardCharsets.UTF_8));
  }

  static long hash(byte[] bytes) {
    return ByteBuffer.wrap(sha256().digest(bytes)).getLong();
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JDK lacks SHA-256, which every JDK must have", e);
    }
  }
}
