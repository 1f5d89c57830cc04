package io.trainingday.node.recovery;

import io.trainingday.node.recovery.SealedFile.Kind;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files in which one node keeps who the grid was and the version keys. Whatever is written is
 * on the disk itself when the method returns. Damage is told in the log and as emptiness, never
 * thrown.
 *
 * <pre>
 * lock                    held by the process that has the directory open
 * membership              a {@link Kept}
 * LIFE/DATASET.key        the version key of one data set in one life of the grid
 * LIFE/DATASET.pipelines  its pipelines
 * LIFE/DATASET-N.stamps   the N-th part of its manifest
 * </pre>
 *
 * LIFE names a life, DATASET is the data set's hash in sixteen digits; a file that is being written
 * ends in {@code .half}. Methods may be called from any thread, but not two that write the same
 * file at a time.
 */
public final class KeptFiles implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(KeptFiles.class);
  private static final String MEMBERSHIP = "membership";
  private static final String KEY = ".key";
  private static final String PIPELINES = ".pipelines";
  private static final String STAMPS = ".stamps";

  // Guarded by itself. Closing any channel of a file gives up all locks the process has on it, so
  // one that this process holds must not be opened again.
  private static final Set<Path> HELD = new HashSet<>();

  private final Path directory;
  private final FileChannel lock;

  private KeptFiles(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  /**
   * Claims the directory, and makes it if it is not there.
   *
   * @throws KeptFilesException when another node has it, or it cannot be written to
   */
  public static KeptFiles open(Path directory) {
    try {
      Path real = Files.createDirectories(directory).toRealPath();
      synchronized (HELD) {
        if (HELD.contains(real)) {
          throw inUse(real);
        }
        FileChannel lock =
            FileChannel.open(
                real.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
          if (lock.tryLock() == null) {
            throw inUse(real);
          }
        } catch (IOException | RuntimeException failure) {
          try (lock) {
            throw failure;
          }
        }
        HELD.add(real);
        return new KeptFiles(real, lock);
      }
    } catch (IOException failure) {
      throw new KeptFilesException(
          "directory=%s cannot be used: %s; give a disk.path that this process may write to"
              .formatted(directory, failure),
          failure);
    }
  }

  private static KeptFilesException inUse(Path directory) {
    return new KeptFilesException(
        "directory=%s is used by another node, allowed: one node a directory; give each node a disk.path of its own"
            .formatted(directory),
        null);
  }

  public Path directory() {
    return directory;
  }

  /** What was kept last; empty if nothing was, or it is damaged. */
  public Optional<Kept> kept() {
    Path file = directory.resolve(MEMBERSHIP);
    try {
      return Optional.of(Kept.decode(SealedFile.read(file, Kind.MEMBERSHIP)));
    } catch (NoSuchFileException first) {
      return Optional.empty();
    } catch (IOException damaged) {
      LOG.warn(
          "This node does not know what grid it was in, its records on disk are lost: {}: {}",
          file,
          damaged.getMessage());
      return Optional.empty();
    }
  }

  /** Keeps who the grid is, over what was kept before. */
  public void keep(Kept kept) throws IOException {
    SealedFile.write(directory.resolve(MEMBERSHIP), Kind.MEMBERSHIP, kept.encode());
  }

  /** Makes room for the version keys of a life. */
  public void begin(Life life) throws IOException {
    Files.createDirectories(directory.resolve(life.directory()));
    SealedFile.force(directory);
  }

  /** Keeps a data set's version key. */
  public void keepKey(Life life, long dataset, byte[] bytes) throws IOException {
    SealedFile.write(of(life, "%016x".formatted(dataset) + KEY), Kind.KEY, bytes);
  }

  /** Keeps a data set's pipelines. */
  public void keepPipelines(Life life, long dataset, byte[] bytes) throws IOException {
    SealedFile.write(of(life, "%016x".formatted(dataset) + PIPELINES), Kind.PIPELINES, bytes);
  }

  /** Keeps a part of a data set's manifest. */
  public void keepStamps(Life life, long dataset, long part, byte[] bytes) throws IOException {
    SealedFile.write(of(life, "%016x-%x".formatted(dataset, part) + STAMPS), Kind.STAMPS, bytes);
  }

  private Path of(Life life, String name) {
    return directory.resolve(life.directory()).resolve(name);
  }

  /** All version keys kept of a life, by the data set's hash; those that are damaged are empty. */
  public Map<Long, Optional<byte[]>> keys(Life life) throws IOException {
    Map<Long, Optional<byte[]>> keys = new HashMap<>();
    for (Map.Entry<String, Path> file : files(life, KEY).entrySet()) {
      Long dataset = hex(file.getKey());
      if (dataset != null) {
        keys.put(dataset, Optional.ofNullable(read(file.getValue(), Kind.KEY)));
      }
    }
    return keys;
  }

  /** The pipelines kept of a data set; empty if none are, or they are damaged. */
  public Optional<byte[]> pipelines(Life life, long dataset) {
    Path file = of(life, "%016x".formatted(dataset) + PIPELINES);
    return Files.exists(file) ? Optional.ofNullable(read(file, Kind.PIPELINES)) : Optional.empty();
  }

  /** The parts kept of a data set's manifest; null if one is damaged. */
  public @Nullable Map<Long, byte[]> stamps(Life life, long dataset) throws IOException {
    Map<Long, byte[]> parts = new TreeMap<>();
    String prefix = "%016x-".formatted(dataset);
    for (Map.Entry<String, Path> file : files(life, STAMPS).entrySet()) {
      if (file.getKey().startsWith(prefix)) {
        Long part = hex(file.getKey().substring(prefix.length()));
        byte[] bytes = read(file.getValue(), Kind.STAMPS);
        if (part == null || bytes == null) {
          return null;
        }
        parts.put(part, bytes);
      }
    }
    return parts;
  }

  private static byte @Nullable [] read(Path file, Kind kind) {
    try {
      return SealedFile.read(file, kind);
    } catch (IOException damaged) {
      LOG.warn("The records on disk of a data set are lost: {}", damaged.getMessage());
      return null;
    }
  }

  private static @Nullable Long hex(String digits) {
    try {
      return Long.parseUnsignedLong(digits, 16);
    } catch (NumberFormatException foreign) {
      LOG.warn("A file named \"{}\" is none of this program's.", digits);
      return null;
    }
  }

  private Map<String, Path> files(Life life, String suffix) throws IOException {
    Map<String, Path> files = new TreeMap<>();
    Path of = directory.resolve(life.directory());
    if (!Files.isDirectory(of)) {
      return files;
    }
    try (DirectoryStream<Path> all = Files.newDirectoryStream(of, "*" + suffix)) {
      for (Path file : all) {
        String name = file.getFileName().toString();
        files.put(name.substring(0, name.length() - suffix.length()), file);
      }
    }
    return files;
  }

  /** Removes what was kept of all other lives. */
  public void retain(Life life) throws IOException {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(directory)) {
      for (Path former : all) {
        if (Files.isDirectory(former) && !former.endsWith(life.directory())) {
          remove(former);
        }
      }
    }
  }

  private static void remove(Path life) throws IOException {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(life)) {
      for (Path file : all) {
        String name = file.getFileName().toString();
        if (name.endsWith(KEY)
            || name.endsWith(PIPELINES)
            || name.endsWith(STAMPS)
            || SealedFile.isHalf(file)) {
          Files.delete(file);
        }
      }
    }
    try (DirectoryStream<Path> rest = Files.newDirectoryStream(life)) {
      if (rest.iterator().hasNext()) {
        LOG.warn("{} holds files that are none of this program's.", life);
        return;
      }
    }
    Files.delete(life);
  }

  /** Gives the directory free. */
  @Override
  public void close() throws IOException {
    synchronized (HELD) {
      HELD.remove(directory);
      lock.close();
    }
  }
}
