package io.trainingday.demo;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * A folder of pictures: every sub-folder is a class, every PNG or JPEG at any depth below it a
 * sample of that class. Classes and pictures are sorted by name, so an index means the same picture
 * in every run. Links are followed. Other files are counted and skipped; sub-folders without a
 * picture are no class.
 *
 * <p>A folder to try it on: Debian's {@code openclipart-png}, about 6,900 public-domain PNG files
 * in a folder per category: {@code apt-get download openclipart-png && dpkg-deb -x
 * openclipart-png_*.deb clip}, then {@code --images clip/usr/share/openclipart/png}.
 */
final class ImageFolder {
  /** Fewer cannot be split into pictures to train and to test on in a way that says anything. */
  static final int MIN_PICTURES = 10;

  private final Path folder;
  private final List<String> classes = new ArrayList<>();
  private final List<Path> pictures = new ArrayList<>();
  private final List<Integer> labels = new ArrayList<>();
  private int skippedFiles;

  private ImageFolder(Path folder) {
    this.folder = folder;
  }

  /**
   * Lists the folder; opens no picture.
   *
   * @throws IllegalArgumentException in words for the user, if there is nothing to train on
   */
  static ImageFolder scan(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new IllegalArgumentException(
          "--images=" + folder + " is not a folder; give one that has a sub-folder per class");
    }
    ImageFolder images = new ImageFolder(folder);
    try {
      for (Path classFolder : sorted(folder, 1)) {
        if (Files.isDirectory(classFolder)) {
          images.addClass(classFolder);
        }
      }
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "--images=%s cannot be listed (%s); make all of it readable".formatted(folder, e), e);
    }
    if (images.classes.size() < 2 || images.pictures.size() < MIN_PICTURES) {
      throw new IllegalArgumentException(
          "--images=%s holds %d pictures in %d classes, at least %d in 2 are needed; put the PNG or"
                  .formatted(folder, images.pictures.size(), images.classes.size(), MIN_PICTURES)
              + " JPEG files of each class into a sub-folder of its own");
    }
    return images;
  }

  private void addClass(Path classFolder) throws IOException {
    int before = pictures.size();
    for (Path file : sorted(classFolder, Integer.MAX_VALUE)) {
      if (!Files.isRegularFile(file)) {
        continue;
      }
      if (isPicture(file)) {
        pictures.add(file);
        labels.add(classes.size());
      } else {
        skippedFiles++;
      }
    }
    if (pictures.size() > before) {
      classes.add(String.valueOf(classFolder.getFileName()));
    }
  }

  /** Files, and at the given depth folders too; links are followed, but not in circles. */
  private static List<Path> sorted(Path folder, int depth) throws IOException {
    List<Path> entries = new ArrayList<>();
    Files.walkFileTree(
        folder,
        EnumSet.of(FileVisitOption.FOLLOW_LINKS),
        depth,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            entries.add(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
            if (e instanceof FileSystemLoopException) {
              return FileVisitResult.CONTINUE;
            }
            throw e;
          }
        });
    Collections.sort(entries);
    return entries;
  }

  private static boolean isPicture(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    return name.endsWith(".png") || name.endsWith(".jpg") || name.endsWith(".jpeg");
  }

  Path folder() {
    return folder;
  }

  List<String> classes() {
    return List.copyOf(classes);
  }

  int size() {
    return pictures.size();
  }

  Path picture(int row) {
    return pictures.get(row);
  }

  int label(int row) {
    return labels.get(row);
  }

  /**
   * Digest of the classes and of every picture's name, size and time of change: another content is
   * another data set. 16 hexadecimal digits.
   */
  String digest() throws IOException {
    MessageDigest digest = Sha256.start();
    for (int row = 0; row < pictures.size(); row++) {
      Path picture = pictures.get(row);
      String line =
          String.format(
              Locale.ROOT,
              "%s %s %d %d\n",
              classes.get(labels.get(row)),
              folder.relativize(picture),
              Files.size(picture),
              Files.getLastModifiedTime(picture).toMillis());
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(digest.digest(), 0, 8);
  }

  /** Files below the class folders that are neither PNG nor JPEG by name. */
  int skippedFiles() {
    return skippedFiles;
  }
}
