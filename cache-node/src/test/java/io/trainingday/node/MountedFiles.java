package io.trainingday.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;

/**
 * A ConfigMap or Secret as the kubelet mounts it: each file is a link into {@code ..data}, which is
 * a link to the directory of the newest content, and changes in one step.
 */
public final class MountedFiles {
  private final Path directory;
  private int versions;

  /** Mounts one file. */
  public MountedFiles(Path directory, String name, String text) throws IOException {
    this(directory, Map.of(name, text));
  }

  /** Mounts several, by name. */
  public MountedFiles(Path directory, Map<String, String> texts) throws IOException {
    this.directory = Files.createDirectories(directory);
    swap(texts);
    for (String name : texts.keySet()) {
      Files.createSymbolicLink(file(name), Path.of("..data").resolve(name));
    }
  }

  /** Where a file of it is. */
  public Path file(String name) {
    return directory.resolve(name);
  }

  /** Changes the content. */
  public void swap(String name, String text) throws IOException {
    swap(Map.of(name, text));
  }

  /** Changes all of them at once. */
  public void swap(Map<String, String> texts) throws IOException {
    Path next = Files.createDirectory(directory.resolve("..version_" + ++versions));
    for (Map.Entry<String, String> one : texts.entrySet()) {
      Files.writeString(next.resolve(one.getKey()), one.getValue());
    }
    Path prepared = directory.resolve("..data_tmp");
    Files.createSymbolicLink(prepared, next.getFileName());
    Files.move(
        prepared,
        directory.resolve("..data"),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }
}
