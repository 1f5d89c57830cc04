package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The files in {@code contract/golden} are what this code writes and reads; clients in other
 * languages are held to the same files.
 *
 * <p>A file that differs is a change of format, which needs a new format version. To write files
 * for new cases: {@code mvn test -pl cache-client -Dtest=GoldenRecordsTest -Dgolden.write=true}.
 */
final class GoldenRecordsTest {
  private static final Path GOLDEN = Path.of("contract", "golden");
  private static final Path MALFORMED = GOLDEN.resolve("malformed");

  private final RecordCodec codec = RecordCodec.create();

  @BeforeAll
  static void writeWhenAsked() throws IOException {
    if (Boolean.getBoolean("golden.write")) {
      Files.createDirectories(MALFORMED);
      for (GoldenRecords.Good good : GoldenRecords.good()) {
        Files.write(GOLDEN.resolve(good.file()), good.bytes());
      }
      for (GoldenRecords.Bad bad : GoldenRecords.bad()) {
        Files.write(MALFORMED.resolve(bad.file()), bad.bytes());
      }
      Files.writeString(GOLDEN.resolve("golden.json"), GoldenRecords.json());
    }
  }

  static List<GoldenRecords.Good> good() {
    return GoldenRecords.good();
  }

  static List<GoldenRecords.Bad> bad() {
    return GoldenRecords.bad();
  }

  @ParameterizedTest
  @MethodSource("good")
  void goldenRecord_isWrittenByteForByte(GoldenRecords.Good good) throws IOException {
    assertThat(codec.encode(good.record()))
        .isEqualTo(Files.readAllBytes(GOLDEN.resolve(good.file())));
  }

  @ParameterizedTest
  @MethodSource("good")
  void goldenRecord_isReadBack(GoldenRecords.Good good) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(GOLDEN.resolve(good.file())));

    assertThat(RecordCodec.verify(bytes)).isTrue();
    SampleRecord record = codec.decode(bytes);
    assertThat(record.sourceStamp()).isEqualTo(good.record().sourceStamp());
    assertThat(record.createdMillis()).isEqualTo(good.record().createdMillis());
    assertThat(List.copyOf(record.attributes().entrySet()))
        .isEqualTo(List.copyOf(good.record().attributes().entrySet()));
    assertThat(record.fields()).hasSameSizeAs(good.record().fields());
    for (SampleRecord.Field expected : good.record().fields()) {
      SampleRecord.Field field = record.field(expected.name());
      assertThat(field.dtype()).isEqualTo(expected.dtype());
      assertThat(field.shape()).isEqualTo(expected.shape());
      assertThat(field.data()).isEqualTo(expected.data());
    }
  }

  @ParameterizedTest
  @MethodSource("bad")
  void malformedRecord_isRefusedWithItsReason(GoldenRecords.Bad bad) throws IOException {
    byte[] bytes = Files.readAllBytes(MALFORMED.resolve(bad.file()));

    assertThat(bytes).isEqualTo(bad.bytes());
    assertThatThrownBy(() -> codec.decode(ByteBuffer.wrap(bytes)))
        .isInstanceOfSatisfying(
            MalformedRecordException.class, e -> assertThat(e.offset()).isEqualTo(bad.offset()))
        .hasMessage("record byte %d: %s".formatted(bad.offset(), bad.reason()));
  }

  @Test
  void goldenObject_isReadBack() throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(GOLDEN.resolve("object.tdr")));

    assertThat(codec.decode(bytes).object("note", codec)).isEqualTo("naïve");
  }

  @Test
  void description_isThatOfTheRecords() throws IOException {
    assertThat(Files.readString(GOLDEN.resolve("golden.json"))).isEqualTo(GoldenRecords.json());
  }

  @Test
  void everyFile_isDescribed() throws IOException {
    Set<String> expected =
        new TreeSet<>(List.of("golden.json", "malformed", "placement.json", "plan.json"));
    good().forEach(good -> expected.add(good.file()));

    assertThat(names(GOLDEN)).isEqualTo(expected);
    assertThat(names(MALFORMED))
        .isEqualTo(bad().stream().map(GoldenRecords.Bad::file).collect(Collectors.toSet()));
  }

  @Test
  void workedExample_inTheContract_isTheTinyRecord() throws IOException {
    String contract = Files.readString(Path.of("contract", "record.md"));
    byte[] tiny = Files.readAllBytes(GOLDEN.resolve("tiny.tdr"));
    StringBuilder dump = new StringBuilder();
    for (int at = 0; at < tiny.length; at += 16) {
      dump.append("%04x ".formatted(at));
      for (byte value : Arrays.copyOfRange(tiny, at, Math.min(at + 16, tiny.length))) {
        dump.append(" %02x".formatted(value));
      }
      dump.append('\n');
    }
    List<String> quoted =
        contract.lines().filter(line -> line.matches("[0-9a-f]{4}  [0-9a-f]{2}.*")).toList();

    assertThat(quoted.stream().map(line -> line.replaceFirst("  +#.*", "")))
        .containsExactlyElementsOf(dump.toString().lines().toList());
  }

  @Test
  void typeCodes_inTheContract_areThoseOfTheCode() throws IOException {
    String contract = Files.readString(Path.of("contract", "record.md"));
    for (DType dtype : DType.values()) {
      assertThat(contract)
          .contains(
              "| %d | `%s` | %d |".formatted(dtype.code(), dtype.wireName(), dtype.elementBytes()));
    }
  }

  private static Set<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  @Test
  void checksum_isThatOfZlib_withoutItsOwnFourBytes() {
    byte[] tiny = codec.encode(GoldenRecords.good().get(0).record());
    CRC32 crc = new CRC32();
    crc.update(tiny, 0, 28);
    crc.update(tiny, 32, tiny.length - 32);

    assertThat(ByteBuffer.wrap(tiny).order(LITTLE_ENDIAN).getInt(28))
        .isEqualTo((int) crc.getValue());
    assertThat(new String(tiny, 0, 4, UTF_8)).isEqualTo("TDR1");
  }
}
