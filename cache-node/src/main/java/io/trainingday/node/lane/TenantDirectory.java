package io.trainingday.node.lane;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.Optional;
import java.util.Set;

/**
 * Directories that a tenant's trainers reach and may change nothing in.
 *
 * <p>They belong to the node's user. The group may pass through, so it opens what it has been told
 * the name of; it cannot list, and, what matters more, cannot put a socket of its own in the place
 * of the node's. What is made inside gets the group, too (setgid). Others may nothing.
 */
final class TenantDirectory {
  private static final int SETGID = 02000;
  private static final int SHARED = SETGID | 0710;

  /** For the directory that those of other tenants lie in: all pass through, to their own. */
  private static final int SHARED_ABOVE_OTHERS = SETGID | 0711;

  private static final int WRITABLE_BY_OTHERS = 0022;
  private static final int PERMISSIONS = 07777;
  private static final Set<PosixFilePermission> PRIVATE =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<PosixFilePermission> READ_WRITE =
      PosixFilePermissions.fromString("rw-rw----");

  private TenantDirectory() {}

  /**
   * Makes a directory, and gives it to a group.
   *
   * @param group a name or a number; empty: one that is there is left as it is, a new one is for
   *     this user alone
   * @param aboveOthers whether directories of other tenants lie in it
   * @return whether trainers of its group reach it
   * @throws LaneStartException when it is not, and cannot be made, one that only this user changes
   */
  static boolean prepare(Path directory, Optional<String> group, boolean aboveOthers) {
    try {
      if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
        Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(PRIVATE));
      }
      int owner = (int) Files.getAttribute(directory, "unix:uid");
      int user = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
      if (owner != user) {
        throw new LaneStartException(
            "lane.tenants: %s belongs to user %d, this node runs as %d; give it to that one (chown %d), or remove it"
                .formatted(directory, owner, user, user));
      }
      if (group.isPresent()) {
        give(directory, group.get(), aboveOthers ? SHARED_ABOVE_OTHERS : SHARED);
      }
      int mode = mode(directory);
      if ((mode & WRITABLE_BY_OTHERS) != 0) {
        throw new LaneStartException(
            "lane.tenants: %s has mode %o, so that others could replace the socket in it; take write permission from them (chmod go-w), or name its group in lane.tenants"
                .formatted(directory, mode));
      }
      return (mode & SETGID) != 0;
    } catch (IOException e) {
      throw new LaneStartException(
          "lane.tenants: %s cannot be used: %s %s; give a lane.socket in a directory this user may write"
              .formatted(directory, e.getClass().getSimpleName(), e.getMessage()),
          e);
    }
  }

  private static void give(Path directory, String name, int mode) throws IOException {
    GroupPrincipal group;
    try {
      group =
          directory
              .getFileSystem()
              .getUserPrincipalLookupService()
              .lookupPrincipalByGroupName(name);
    } catch (UserPrincipalNotFoundException e) {
      throw new LaneStartException(
          "lane.tenants: there is no group %s for %s; give its number, or another one"
              .formatted(name, directory),
          e);
    }
    PosixFileAttributeView view =
        Files.getFileAttributeView(directory, PosixFileAttributeView.class);
    try {
      if (!view.readAttributes().group().equals(group)) {
        view.setGroup(group);
      }
      share(directory, mode);
    } catch (IOException e) {
      throw notGiven(directory, name, e);
    }
    // The kernel drops the bit, and says nothing, for who is not in the group.
    if (mode(directory) != mode) {
      throw notGiven(directory, name, new IOException("mode %o".formatted(mode(directory))));
    }
  }

  private static LaneStartException notGiven(Path directory, String group, IOException why) {
    return new LaneStartException(
        "lane.tenants: %s cannot be given to group %s (%s); let this node's user be in that group"
            .formatted(directory, group, why.getMessage()),
        why);
  }

  /** Makes a directory inside one that is shared, for the same group, or makes one there so. */
  static Path share(Path directory) throws IOException {
    if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PRIVATE));
    }
    Object group = Files.getAttribute(directory.resolveSibling(""), "unix:gid");
    if (!Files.getAttribute(directory, "unix:gid").equals(group)) {
      Files.setAttribute(directory, "unix:gid", group);
    }
    share(directory, SHARED);
    return directory;
  }

  private static void share(Path directory, int mode) throws IOException {
    if (mode(directory) != mode) {
      Files.setAttribute(directory, "unix:mode", mode);
    }
  }

  /** Lets the group of a file or socket read and write it, whatever the process's umask. */
  static void open(Path file) throws IOException {
    Files.setPosixFilePermissions(file, READ_WRITE);
  }

  private static int mode(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS) & PERMISSIONS;
  }
}
