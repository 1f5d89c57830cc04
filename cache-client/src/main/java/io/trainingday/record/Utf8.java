package io.trainingday.record;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import org.jspecify.annotations.Nullable;

/** UTF-8 that refuses what it cannot represent, where {@link String} would put a question mark. */
final class Utf8 {
  private Utf8() {}

  static ByteBuffer encode(String what, String text) {
    try {
      return UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          "%s holds half of a surrogate pair, which UTF-8 cannot carry".formatted(what), e);
    }
  }

  /** The text, or null where the bytes are not UTF-8. */
  static @Nullable String decode(ByteBuffer bytes) {
    try {
      return UTF_8.newDecoder().decode(bytes.duplicate()).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}
