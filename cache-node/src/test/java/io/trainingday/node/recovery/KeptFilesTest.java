package io.trainingday.node.recovery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeptFilesTest {
  private static final Life LIFE = new Life(-1, 3, 77);
  private static final Life NEXT = new Life(-1, 4, 78);
  private static final Kept KEPT =
      new Kept(
          "a-1",
          LIFE,
          Set.of(5L, -6L),
          new Electorate(LIFE, 9, Set.of("a-1", "b-1", "c-1")),
          List.of(new Electorate(LIFE, 10, Set.of("a-1", "b-1"))),
          List.of(new Electorate(NEXT, 2, Set.of("a-1", "c-1"))),
          true);

  private Path directory;
  private KeptFiles files;

  @BeforeEach
  void open(@TempDir Path directory) {
    this.directory = directory.resolve("keys");
    files = KeptFiles.open(this.directory);
  }

  @AfterEach
  void close() throws IOException {
    files.close();
  }

  private Path membership() {
    return directory.resolve("membership");
  }

  @Test
  void kept_ofNewDirectory_isNothing() throws IOException {
    assertThat(files.kept()).isEmpty();
    assertThat(files.keys(LIFE)).isEmpty();
  }

  @Test
  void kept_afterReopening_isWhatWasKeptLast() throws IOException {
    files.keep(Kept.nothing("a-1"));
    files.keep(KEPT);
    files.close();
    files = KeptFiles.open(directory);

    assertThat(files.kept()).contains(KEPT);
    files.keep(Kept.nothing("a-1"));
    assertThat(files.kept()).contains(Kept.nothing("a-1"));
  }

  @Test
  void kept_cutAnywhere_isNothing() throws IOException {
    files.keep(KEPT);
    byte[] whole = Files.readAllBytes(membership());
    for (int length = 0; length < whole.length; length++) {
      Files.write(membership(), Arrays.copyOf(whole, length));
      assertThat(files.kept()).as("cut to %d bytes", length).isEmpty();
    }
  }

  @Test
  void kept_anyBitFlipped_isNothing() throws IOException {
    files.keep(KEPT);
    byte[] whole = Files.readAllBytes(membership());
    for (int bit = 0; bit < 8 * whole.length; bit++) {
      byte[] flipped = whole.clone();
      flipped[bit / 8] ^= (byte) (1 << (bit % 8));
      Files.write(membership(), flipped);
      assertThat(files.kept()).as("bit %d flipped", bit).isEmpty();
    }
  }

  @Test
  void kept_foreignOrLongerFile_isNothing() throws IOException {
    Files.writeString(membership(), "not ours, but as long as one of ours could be: 0123456789");
    assertThat(files.kept()).isEmpty();

    files.keep(KEPT);
    byte[] whole = Files.readAllBytes(membership());
    Files.write(membership(), Arrays.copyOf(whole, whole.length + 1));
    assertThat(files.kept()).isEmpty();

    // One of ours, but of another kind.
    files.begin(LIFE);
    files.keepKey(LIFE, 1, KEPT.encode());
    Files.copy(
        directory.resolve(LIFE.directory()).resolve("0000000000000001.key"),
        membership(),
        StandardCopyOption.REPLACE_EXISTING);
    assertThat(files.kept()).isEmpty();
  }

  @Test
  void kept_writeCutShort_isWhatWasKeptBefore() throws IOException {
    files.keep(KEPT);
    Files.writeString(directory.resolve("membership.half"), "half");

    assertThat(files.kept()).contains(KEPT);
    files.keep(KEPT.promising(List.of()));
    assertThat(files.kept()).contains(KEPT.promising(List.of()));
  }

  @Test
  void keys_damagedOne_isEmptyAndTheOthersAreThere() throws IOException {
    files.begin(LIFE);
    files.keepKey(LIFE, -1, new byte[] {1, 2});
    files.keepKey(LIFE, 2, new byte[0]);
    Path damaged = directory.resolve(LIFE.directory()).resolve("ffffffffffffffff.key");
    byte[] bytes = Files.readAllBytes(damaged);
    bytes[bytes.length - 6] ^= 1;
    Files.write(damaged, bytes);
    Files.writeString(damaged.resolveSibling("notes.key"), "foreign");

    Map<Long, Optional<byte[]>> keys = files.keys(LIFE);

    assertThat(keys).containsOnlyKeys(-1L, 2L);
    assertThat(keys.get(-1L)).isEmpty();
    assertThat(keys.get(2L)).hasValueSatisfying(b -> assertThat(b).isEmpty());
  }

  @Test
  void stamps_ofOneDataset_areItsOwn_nullIfOneIsDamaged() throws IOException {
    files.begin(LIFE);
    files.keepStamps(LIFE, 1, 0, new byte[] {1});
    files.keepStamps(LIFE, 1, 16, new byte[] {2});
    files.keepStamps(LIFE, 2, 0, new byte[] {3});

    assertThat(files.stamps(LIFE, 1)).containsOnlyKeys(0L, 16L);
    assertThat(files.stamps(LIFE, 3)).isEmpty();
    Files.write(
        directory.resolve(LIFE.directory()).resolve("0000000000000001-10.stamps"), new byte[5]);
    assertThat(files.stamps(LIFE, 1)).isNull();
    assertThat(files.stamps(LIFE, 2)).containsOnlyKeys(0L);
  }

  @Test
  void retain_oneLife_removesTheOthersButNothingForeign() throws IOException {
    files.begin(LIFE);
    files.keepKey(LIFE, 1, new byte[1]);
    files.keepStamps(LIFE, 1, 0, new byte[1]);
    files.keepPipelines(LIFE, 1, new byte[1]);
    files.begin(NEXT);
    files.keepKey(NEXT, 1, new byte[1]);
    Path own = Files.createDirectory(directory.resolve("mine"));
    Files.writeString(own.resolve("text"), "mine");

    files.retain(NEXT);

    assertThat(directory.resolve(LIFE.directory())).doesNotExist();
    assertThat(files.keys(NEXT)).containsOnlyKeys(1L);
    assertThat(own.resolve("text")).exists();
  }

  @Test
  void open_directoryInUse_isRefusedWithWhatToDo() {
    assertThatThrownBy(() -> KeptFiles.open(directory))
        .isInstanceOf(KeptFilesException.class)
        .hasMessage(
            "directory=%s is used by another node, allowed: one node a directory; give each node a"
                    .formatted(directory)
                + " disk.path of its own");
  }

  @Test
  void open_notADirectory_isRefusedWithWhatToDo() throws IOException {
    Path file = Files.writeString(directory.resolveSibling("file"), "x");

    assertThatThrownBy(() -> KeptFiles.open(file.resolve("keys")))
        .isInstanceOf(KeptFilesException.class)
        .hasMessageContaining("give a disk.path that this process may write to");
  }
}
