package io.trainingday.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Runs classes of the tests as another user, which only root may. That user cannot look into root's
 * home, where Maven keeps its libraries, so each process has a mount namespace in which what it
 * needs of there is to be seen elsewhere, too. Nobody else sees these mounts.
 */
public final class OtherUser {
  private final int id;
  private final List<Integer> groups;

  /** Any numbers will do: they need no name. */
  public OtherUser(int id, Integer... groups) {
    this.id = id;
    this.groups = List.of(groups);
  }

  /** Whether this process may become others. */
  public static boolean isPossible() throws IOException {
    return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
  }

  /**
   * A command line for {@link ChildJvm}.
   *
   * @param mounts an existing directory for mounts
   * @param setUp more to be done in the mount namespace, as root: lines of a shell
   */
  public List<String> command(
      Path mounts, String setUp, List<String> jvmArguments, Class<?> main, Object... arguments)
      throws IOException {
    Views views = new Views(mounts);
    List<String> java = new ArrayList<>(ChildJvm.command(jvmArguments, main, arguments));
    java.set(0, views.seen(java.get(0)));
    int classPath = java.indexOf("-cp") + 1;
    java.set(
        classPath,
        Arrays.stream(java.get(classPath).split(":"))
            .filter(entry -> Files.exists(Path.of(entry)))
            .map(views::seen)
            .collect(Collectors.joining(":")));
    List<String> command = new ArrayList<>(List.of("unshare", "-m", "sh", "-c"));
    command.add("set -e\n" + views.mounts() + setUp + "\nexec \"$@\"");
    command.addAll(
        List.of(
            "sh",
            "setpriv",
            "--reuid=" + id,
            "--regid=" + id,
            "--groups=" + groups.stream().map(String::valueOf).collect(Collectors.joining(","))));
    command.addAll(java);
    return command;
  }

  /** Where files that only root reaches are to be seen. */
  private static final class Views {
    private final Path mounts;
    private final Map<Path, Path> seenAt = new LinkedHashMap<>();

    Views(Path mounts) {
      this.mounts = mounts;
    }

    String seen(String file) {
      try {
        Path path = Path.of(file).toRealPath();
        for (int names = path.getNameCount() - 1; names > 0; names--) {
          Path ancestor = path.getRoot().resolve(path.subpath(0, names));
          if (!Files.getPosixFilePermissions(ancestor)
              .contains(PosixFilePermission.OTHERS_EXECUTE)) {
            Path reachable = path.getRoot().resolve(path.subpath(0, names + 1));
            Path view = seenAt.get(reachable);
            if (view == null) {
              view = view(reachable);
              seenAt.put(reachable, view);
            }
            return view.resolve(reachable.relativize(path)).toString();
          }
        }
        return path.toString();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private Path view(Path of) throws IOException {
      Path view = Files.createTempDirectory(mounts, "seen-");
      Files.setPosixFilePermissions(view, PosixFilePermissions.fromString("rwxr-xr-x"));
      if (Files.isDirectory(of)) {
        return view;
      }
      return Files.createFile(view.resolve(of.getFileName()));
    }

    String mounts() {
      return seenAt.entrySet().stream()
          .map(one -> "mount --bind '%s' '%s'\n".formatted(one.getKey(), one.getValue()))
          .collect(Collectors.joining());
    }
  }
}
