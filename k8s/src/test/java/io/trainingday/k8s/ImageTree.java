package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What the last stage of the Dockerfile puts into the image, taken from the packaged build: its
 * files, the user, the entry point. What lies below are this machine's own programs.
 */
final class ImageTree {
  private static final Path DOCKERFILE = Path.of("Dockerfile");
  private static final Path ROOT = Path.of("..");
  private static final Pattern INSTALL =
      Pattern.compile("install -m ([0-7]+) (\\S+) /image/(\\S*)");
  private static final Pattern LIST = Pattern.compile("\"([^\"]*)\"");

  private final Path directory;
  private final String text;
  private Path work = Path.of("/");
  private String path = "";
  private String user = "";
  private List<String> entryPoint = List.of();

  /**
   * Copies the files.
   *
   * @param directory an empty directory, for what is below {@link #home}
   */
  ImageTree(Path directory) throws IOException {
    this.directory = directory;
    text = Files.readString(DOCKERFILE).replaceAll("(?m)^#.*\\R", "");
    String last = text.substring(text.lastIndexOf("\nFROM ")).replaceAll("\\\\\\R\\s*", "");
    for (String line : last.lines().toList()) {
      String[] words = line.trim().split("\\s+", 2);
      switch (words[0]) {
        case "COPY" -> copy(words[1]);
        case "WORKDIR" -> work = work.resolve(words[1]);
        case "ENV" -> path = words[1].replaceFirst("^PATH=(.*):\\$PATH$", "$1");
        case "USER" -> user = words[1];
        case "ENTRYPOINT" -> entryPoint = list(words[1]);
        default -> {}
      }
    }
    // As in an image, whatever umask this process has.
    Tool.run("chmod", "-R", "a+rX", directory.toString());
    if (path.isEmpty() || user.isEmpty() || entryPoint.isEmpty()) {
      throw new IllegalStateException(DOCKERFILE + " names no PATH, USER or ENTRYPOINT: " + last);
    }
  }

  /** As {@code [--from=STAGE] SOURCE… TARGET/}. */
  private void copy(String arguments) throws IOException {
    List<String> words = new ArrayList<>(List.of(arguments.split("\\s+")));
    String stage = words.get(0).startsWith("--from=") ? words.remove(0).substring(7) : "";
    String to = words.remove(words.size() - 1);
    Path target = directory.resolve(home().relativize(work.resolve(to).normalize()));
    for (String source : words) {
      if (stage.equals("wheel")) {
        // Unpacked, a wheel of Python alone is the package's sources.
        copyTree(ROOT.resolve("cache-client/python/src"), target.resolve("python"));
      } else if (source.equals("/image")) {
        install(target);
      } else {
        Path file = ROOT.resolve(stage.isEmpty() ? source : source.replaceFirst("^/src/", ""));
        for (Path one : matching(file)) {
          copyTree(one, Files.isDirectory(one) ? target : target.resolve(one.getFileName()));
        }
      }
    }
  }

  /** What a stage lays out with modes of its own. */
  private void install(Path target) throws IOException {
    List<MatchResult> all = INSTALL.matcher(text).results().toList();
    assertThat(all).as("install -m in " + DOCKERFILE).isNotEmpty();
    for (MatchResult one : all) {
      Path source = ROOT.resolve(one.group(2));
      Path file = target.resolve(one.group(3)).resolve(source.getFileName());
      copyTree(source, file);
      Tool.run("chmod", one.group(1), file.toString());
    }
  }

  private static List<Path> matching(Path file) throws IOException {
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + file.getFileName());
    Path parent = file.resolveSibling("");
    List<Path> found = List.of();
    if (Files.isDirectory(parent)) {
      try (Stream<Path> all = Files.list(parent)) {
        found = all.filter(one -> matcher.matches(one.getFileName())).sorted().toList();
      }
    }
    if (found.isEmpty()) {
      throw new IllegalStateException(
          file.normalize() + ", which the image is made of, is not there: mvn package makes it");
    }
    return found;
  }

  private static void copyTree(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path one : (Iterable<Path>) all::iterator) {
        Path target = to.resolve(from.relativize(one).toString());
        if (Files.isDirectory(one)) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.resolveSibling(""));
          Files.copy(one, target);
        }
      }
    }
  }

  private static List<String> list(String text) {
    return LIST.matcher(text).results().map(one -> one.group(1)).toList();
  }

  /** Where its files are on this machine. */
  Path directory() {
    return directory;
  }

  /** Where they are in the image. */
  Path home() {
    return Path.of("/opt/training-day");
  }

  Path workDirectory() {
    return work;
  }

  /** What stands first on the PATH. */
  String path() {
    return path;
  }

  /** As {@code UID:GID}. */
  String user() {
    return user;
  }

  List<String> entryPoint() {
    return entryPoint;
  }

  /** Whether a container with this image is to have it. */
  static boolean isMeantBy(String image) {
    Matcher name = Pattern.compile("(?:.*/)?training-day[:@].*").matcher(image);
    return name.matches();
  }
}
