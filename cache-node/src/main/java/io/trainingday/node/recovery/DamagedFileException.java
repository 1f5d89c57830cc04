package io.trainingday.node.recovery;

import java.io.IOException;
import java.nio.file.Path;

/** A kept file that cannot be read; the message names it and says why. */
final class DamagedFileException extends IOException {
  private static final long serialVersionUID = 1L;

  DamagedFileException(Path file, String why) {
    super("%s cannot be read: %s".formatted(file, why));
  }
}
