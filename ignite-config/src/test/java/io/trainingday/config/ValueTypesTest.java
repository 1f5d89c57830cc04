package io.trainingday.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ValueTypesTest {
  @ParameterizedTest
  @CsvSource({
    "0B, 0, 0B",
    "1B, 1, 1B",
    "1048576 B, 1048576, 1MiB",
    "1023B, 1023, 1023B",
    "1KiB, 1024, 1KiB",
    "1Ki, 1024, 1KiB",
    "1536KiB, 1572864, 1536KiB",
    "512 MiB, 536870912, 512MiB",
    "512Mi, 536870912, 512MiB",
    "64GiB, 68719476736, 64GiB",
    "64Gi, 68719476736, 64GiB",
    "1024GiB, 1099511627776, 1TiB",
    "3TiB, 3298534883328, 3TiB",
    "2048Ti, 2251799813685248, 2048TiB",
    "9223372036854775807B, 9223372036854775807, 9223372036854775807B",
    "007KiB, 7168, 7KiB",
  })
  void size_written_isRead(String text, long bytes, String shown) {
    assertThat(DataSize.parse(text)).isEqualTo(DataSize.ofBytes(bytes)).hasToString(shown);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      value = {
        "64g, write 64GiB",
        "64G, write 64GiB",
        "64GB, write 64GiB",
        "64gb, write 64GiB",
        "64gib, write 64GiB",
        "64k, write 64KiB",
        "64 m, write 64MiB",
        "1T, write 1TiB",
        "1024, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "\"\", \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "1.5GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "-1GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "+1GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "1  GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "\" 1GiB\", \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "1GiB/s, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "1PiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "0x10B, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "\u0661GiB, \"write a whole number and a unit: B, KiB, MiB, GiB or TiB\"",
        "9223372036854775808B, write at most 9223372036854775807B",
        "8388608TiB, write at most 9223372036854775807B",
        "9999999999999999999KiB, write at most 9223372036854775807B",
      })
  void size_notWrittenSo_isRefusedWithWhatToWrite(String text, String hint) {
    assertThatIllegalArgumentException().isThrownBy(() -> DataSize.parse(text)).withMessage(hint);
  }

  @Property
  void size_shown_isReadBack(@ForAll @LongRange(min = 0) long bytes) {
    DataSize size = DataSize.ofBytes(bytes);
    assertThat(DataSize.parse(size.toString())).isEqualTo(size);
  }

  @ParameterizedTest
  @CsvSource({
    "0s, PT0S, 0s",
    "1ms, PT0.001S, 1ms",
    "200ms, PT0.2S, 200ms",
    "1000ms, PT1S, 1s",
    "1500 ms, PT1.5S, 1500ms",
    "30s, PT30S, 30s",
    "60s, PT1M, 1m",
    "90 s, PT1M30S, 90s",
    "5m, PT5M, 5m",
    "60m, PT1H, 1h",
    "1h, PT1H, 1h",
    "24h, P1D, 1d",
    "25h, PT25H, 25h",
    "2d, P2D, 2d",
    "106751d, P106751D, 106751d",
  })
  void duration_written_isRead(String text, Duration expected, String shown) {
    assertThat(Durations.parse(text)).isEqualTo(expected);
    assertThat(Durations.format(expected)).isEqualTo(shown);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      value = {
        "30, \"write a whole number and a unit: ms, s, m, h or d\"",
        "\"\", \"write a whole number and a unit: ms, s, m, h or d\"",
        "s, \"write a whole number and a unit: ms, s, m, h or d\"",
        "30S, \"write a whole number and a unit: ms, s, m, h or d\"",
        "30sec, \"write a whole number and a unit: ms, s, m, h or d\"",
        "1.5s, \"write a whole number and a unit: ms, s, m, h or d\"",
        "-1s, \"write a whole number and a unit: ms, s, m, h or d\"",
        "1h30m, \"write a whole number and a unit: ms, s, m, h or d\"",
        "1us, \"write a whole number and a unit: ms, s, m, h or d\"",
        "PT30S, \"write a whole number and a unit: ms, s, m, h or d\"",
        "1  s, \"write a whole number and a unit: ms, s, m, h or d\"",
        "106752d, write at most 106751d",
        "9999999999999999999ms, write at most 106751d",
        "9223372036854775807d, write at most 106751d",
      })
  void duration_notWrittenSo_isRefusedWithWhatToWrite(String text, String hint) {
    assertThatIllegalArgumentException().isThrownBy(() -> Durations.parse(text)).withMessage(hint);
  }

  @Property
  void duration_shown_isReadBack(@ForAll @LongRange(min = 0, max = 9_000_000_000_000L) long ms) {
    Duration duration = Duration.ofMillis(ms);
    assertThat(Durations.parse(Durations.format(duration))).isEqualTo(duration);
  }
}
