package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The files in {@code contract/golden/format-2} are what this code writes and reads; clients in
 * other languages are held to the same files. Those right in {@code contract/golden} are of format
 * 1, as the release before wrote them: this code reads them, and makes them for its trainers.
 *
 * <p>A file that differs is a change of format, which needs a new format version. To write files
 * for new cases: {@code mvn test -pl cache-client -Dtest=GoldenRecordsTest -Dgolden.write=true}.
 */
final class GoldenRecordsTest {
  private static final Path GOLDEN = Path.of("contract", "golden");

  private final RecordCodec codec = RecordCodec.create();

  @BeforeAll
  static void writeWhenAsked() throws IOException {
    if (Boolean.getBoolean("golden.write")) {
      Path folder = folder(RecordFormat.NEWEST);
      Files.createDirectories(folder.resolve("malformed"));
      for (GoldenRecords.Good good : GoldenRecords.good()) {
        Files.write(folder.resolve(good.file()), good.bytes(RecordFormat.NEWEST));
      }
      for (GoldenRecords.Bad bad : GoldenRecords.bad(RecordFormat.NEWEST)) {
        Files.write(folder.resolve("malformed").resolve(bad.file()), bad.bytes());
      }
      Files.write(folder.resolve("extras.tdr"), GoldenRecords.withExtras());
      Files.writeString(folder.resolve("golden.json"), GoldenRecords.json(RecordFormat.NEWEST));
    }
  }

  private static Path folder(int format) {
    return format == RecordFormat.OLDEST ? GOLDEN : GOLDEN.resolve("format-" + format);
  }

  private static List<Integer> formats() {
    return List.of(RecordFormat.OLDEST, RecordFormat.NEWEST);
  }

  private static byte[] file(int format, String name) throws IOException {
    return Files.readAllBytes(folder(format).resolve(name));
  }

  static List<Arguments> good() {
    List<Arguments> all = new ArrayList<>();
    formats()
        .forEach(
            format -> GoldenRecords.good().forEach(good -> all.add(Arguments.of(format, good))));
    return all;
  }

  static List<Arguments> bad() {
    List<Arguments> all = new ArrayList<>();
    formats()
        .forEach(
            format ->
                GoldenRecords.bad(format).stream()
                    .filter(bad -> format != RecordFormat.OLDEST || !isVersion(bad))
                    .forEach(bad -> all.add(Arguments.of(format, bad))));
    return all;
  }

  /** What format 1 refused for its version is the simplest record of format 2. */
  private static boolean isVersion(GoldenRecords.Bad bad) {
    return bad.file().equals("version.tdr");
  }

  @ParameterizedTest
  @MethodSource("good")
  void goldenRecord_isWrittenByteForByte(int format, GoldenRecords.Good good) throws IOException {
    assertThat(good.bytes(format)).isEqualTo(file(format, good.file()));
  }

  @Test
  void newRecord_isOfTheNewestFormat() {
    byte[] encoded = codec.encode(GoldenRecords.good().get(0).record());

    assertThat(RecordFormat.of(ByteBuffer.wrap(encoded), 0)).isEqualTo(2);
  }

  @Test
  void recordWithExtras_isReadWithoutThem_andLosesThemInTheOldestFormat() throws IOException {
    byte[] extras = file(RecordFormat.NEWEST, "extras.tdr");
    assertThat(extras).isEqualTo(GoldenRecords.withExtras());
    assertThat(RecordLayout.isRecord(ByteBuffer.wrap(extras), 0, extras.length)).isTrue();
    assertThat(RecordCodec.verify(ByteBuffer.wrap(extras))).isTrue();
    byte[] tiny = file(RecordFormat.NEWEST, "tiny.tdr");
    assertThat(codec.encode(codec.decode(ByteBuffer.wrap(extras)))).isEqualTo(tiny);

    new RecordChecksum().seal(ByteBuffer.wrap(extras), 0, extras.length);
    RecordFormat.toOldest(ByteBuffer.wrap(extras), 0, extras.length);
    assertThat(extras).isEqualTo(file(RecordFormat.OLDEST, "tiny.tdr"));
  }

  @Test
  void versionTwo_asFormatOneRefusedIt_isARecordNow() throws IOException {
    byte[] bytes = file(RecordFormat.OLDEST, "malformed/version.tdr");

    assertThat(bytes).isEqualTo(file(RecordFormat.NEWEST, "tiny.tdr"));
  }

  @ParameterizedTest
  @MethodSource("good")
  void goldenRecord_isReadBack(int format, GoldenRecords.Good good) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(file(format, good.file()));

    assertThat(RecordFormat.of(bytes, 0)).isEqualTo(format);
    assertThat(RecordLayout.isRecord(bytes, 0, bytes.capacity())).isTrue();
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
  void malformedRecord_isRefusedWithItsReason(int format, GoldenRecords.Bad bad)
      throws IOException {
    byte[] bytes = file(format, "malformed/" + bad.file());

    assertThat(bytes).isEqualTo(bad.bytes());
    assertThatThrownBy(() -> codec.decode(ByteBuffer.wrap(bytes)))
        .isInstanceOfSatisfying(
            MalformedRecordException.class, e -> assertThat(e.offset()).isEqualTo(bad.offset()))
        .hasMessage("record byte %d: %s".formatted(bad.offset(), bad.reason()));
  }

  @ParameterizedTest
  @MethodSource("formats")
  void goldenObject_isReadBack(int format) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(file(format, "object.tdr"));

    assertThat(codec.decode(bytes).object("note", codec)).isEqualTo("naïve");
  }

  @ParameterizedTest
  @MethodSource("formats")
  void description_isThatOfTheRecords(int format) throws IOException {
    assertThat(Files.readString(folder(format).resolve("golden.json")))
        .isEqualTo(GoldenRecords.json(format));
  }

  @ParameterizedTest
  @MethodSource("formats")
  void everyFile_isDescribed(int format) throws IOException {
    Set<String> expected = new TreeSet<>(List.of("golden.json", "malformed"));
    expected.addAll(
        format == RecordFormat.OLDEST
            ? List.of("format-2", "placement.json", "plan.json")
            : List.of("extras.tdr"));
    GoldenRecords.good().forEach(good -> expected.add(good.file()));

    assertThat(names(folder(format))).isEqualTo(expected);
    assertThat(names(folder(format).resolve("malformed")))
        .isEqualTo(
            GoldenRecords.bad(format).stream()
                .map(GoldenRecords.Bad::file)
                .collect(Collectors.toSet()));
  }

  @Test
  void workedExample_inTheContract_isTheTinyRecord() throws IOException {
    String contract = Files.readString(Path.of("contract", "record.md"));
    byte[] tiny = file(RecordFormat.NEWEST, "tiny.tdr");
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
