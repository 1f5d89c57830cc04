package io.trainingday.node.membership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class LetterCodecTest {
  private static final Membership TWO =
      new Membership(7, Map.of(new UUID(1, -2), "host-1", new UUID(3, 4), "hôst-2"));
  private static final Membership THREE =
      new Membership(
          Long.MAX_VALUE, Map.of(new UUID(1, 2), "", new UUID(3, 4), "b", new UUID(5, 6), "c"));

  private static final List<Letter> LETTERS =
      List.of(
          new Letter.Note(true, TWO, true, THREE, List.of(TWO, THREE), 2_000_000_000L),
          new Letter.Note(false, TWO, false, null, List.of(), 0),
          new Letter.Question(9, new Change(-1, 2, 3, 4)),
          new Letter.Answer(9, true),
          new Letter.Answer(-9, false));

  @Test
  void letters_surviveTheRoundTrip() {
    for (Letter letter : LETTERS) {
      assertThat(LetterCodec.decode(LetterCodec.encode(letter))).isEqualTo(letter);
    }
  }

  @Test
  void letters_cutShort_areRefused() {
    for (Letter letter : LETTERS) {
      byte[] bytes = LetterCodec.encode(letter);
      for (int length = 0; length < bytes.length; length++) {
        byte[] cut = Arrays.copyOf(bytes, length);
        assertThatThrownBy(() -> LetterCodec.decode(cut)).isInstanceOf(UncheckedIOException.class);
      }
    }
  }

  @Test
  void letters_ofANewerRelease_areNotRead() {
    byte[] bytes = LetterCodec.encode(LETTERS.get(3));
    byte[] newerLayout = bytes.clone();
    newerLayout[0] = 2;
    byte[] newerKind = bytes.clone();
    newerKind[1] = 99;

    assertThat(LetterCodec.decode(newerLayout)).isNull();
    assertThat(LetterCodec.decode(newerKind)).isNull();
  }
}
