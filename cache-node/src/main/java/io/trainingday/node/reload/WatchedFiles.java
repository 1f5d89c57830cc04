package io.trainingday.node.reload;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;

/**
 * Files that are looked at now and then, as one. They count as changed when their content does,
 * however that came about: Kubernetes swaps a symbolic link to another directory, editors rename or
 * write in place, and dates tell nothing of the former. Half a file is not taken for a whole one:
 * what is new has to look the same twice. One thread.
 */
final class WatchedFiles {
  private static final int BUFFER_BYTES = 8 << 10;

  /** No file is longer that anybody would write; of what follows nothing is seen. */
  private static final long MAX_BYTES = 64L << 20;

  private final List<Path> paths;
  private byte[] seen = {};
  private byte[] known = {};

  WatchedFiles(Path... paths) {
    this.paths = List.of(paths);
  }

  /** Whether there is something new, which is then known; at the second look everything is. */
  boolean changed() {
    byte[] now = digest();
    boolean still = Arrays.equals(now, seen);
    seen = now;
    if (!still || Arrays.equals(now, known)) {
      return false;
    }
    known = now;
    return true;
  }

  private byte[] digest() {
    MessageDigest all = sha256();
    for (Path path : paths) {
      all.update(digest(path));
    }
    return all.digest();
  }

  /** Of the content, or of why there is none. */
  private static byte[] digest(Path path) {
    MessageDigest digest = sha256();
    try (InputStream in = Files.newInputStream(path)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      long left = MAX_BYTES;
      for (int n = in.read(buffer); n >= 0 && left > 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
        left -= n;
      }
    } catch (IOException e) {
      // Whoever reads it says what is wrong.
      digest.reset();
      digest.update(e.toString().getBytes(StandardCharsets.UTF_8));
    }
    return digest.digest();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JDK lacks SHA-256, which every JDK must have", e);
    }
  }
}
