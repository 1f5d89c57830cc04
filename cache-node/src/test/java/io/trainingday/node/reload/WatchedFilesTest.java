package io.trainingday.node.reload;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WatchedFilesTest {
  private final Path path;
  private final WatchedFiles file;

  WatchedFilesTest(@TempDir Path directory) throws IOException {
    path = Files.writeString(directory.resolve("file"), "one");
    file = new WatchedFiles(path);
    look();
  }

  @Test
  void changed_isToldOnceWhenTheContentStandsStill() throws IOException {
    assertThat(file.changed()).as("at first everything is new").isTrue();
    assertThat(file.changed()).isFalse();

    Files.writeString(path, "t");
    assertThat(file.changed()).as("half a file").isFalse();
    Files.writeString(path, "two");
    assertThat(file.changed()).as("not yet known to be whole").isFalse();
    assertThat(file.changed()).isTrue();
    assertThat(file.changed()).isFalse();
  }

  @Test
  void changed_datesOrAFlickerAlone_isNo() throws IOException {
    look();

    Files.setLastModifiedTime(path, FileTime.fromMillis(0));
    assertThat(file.changed()).isFalse();
    assertThat(file.changed()).isFalse();

    Files.writeString(path, "t");
    assertThat(file.changed()).isFalse();
    Files.writeString(path, "one");
    assertThat(file.changed()).isFalse();
    assertThat(file.changed()).isFalse();
  }

  @Test
  void changed_fileThatGoesAndComes_isTwoChanges() throws IOException {
    look();

    Files.delete(path);
    assertThat(file.changed()).isFalse();
    assertThat(file.changed()).isTrue();

    Files.writeString(path, "one");
    assertThat(file.changed()).isFalse();
    assertThat(file.changed()).isTrue();
  }

  private void look() {
    var unused = file.changed();
  }
}
