package io.trainingday.node;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What a process listens on, as the kernel tells. */
final class ListeningSockets {
  private static final String LISTENS = "0A";
  private static final int ACCEPTS = 0x10000;

  private ListeningSockets() {}

  /**
   * All of a process: {@code tcp ADDRESS:PORT}, {@code udp ADDRESS:PORT}, {@code unix PATH}. Of UDP
   * every socket counts, for whoever has one may be sent something.
   */
  static Set<String> of(long pid) throws IOException {
    Set<String> own = inodes(pid);
    Set<String> found = new TreeSet<>();
    for (String table : List.of("tcp", "tcp6", "udp", "udp6")) {
      String kind = table.replace("6", "");
      for (String[] row : rows(pid, table)) {
        if (own.contains(row[9]) && (kind.equals("udp") || row[3].equals(LISTENS))) {
          found.add(kind + " " + address(row[1]));
        }
      }
    }
    for (String[] row : rows(pid, "unix")) {
      if (own.contains(row[6]) && (Integer.parseInt(row[3], 16) & ACCEPTS) != 0) {
        found.add("unix " + (row.length > 7 ? row[7] : ""));
      }
    }
    return found;
  }

  static String text(InetSocketAddress address) {
    return address.getAddress().getHostAddress() + ":" + address.getPort();
  }

  private static Set<String> inodes(long pid) throws IOException {
    Set<String> inodes = new HashSet<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(Path.of("/proc", Long.toString(pid), "fd"))) {
      for (Path file : files) {
        String target = target(file);
        if (target.startsWith("socket:[")) {
          inodes.add(target.substring(8, target.length() - 1));
        }
      }
    }
    return inodes;
  }

  private static String target(Path file) throws IOException {
    try {
      return Files.readSymbolicLink(file).toString();
    } catch (NoSuchFileException closedMeanwhile) {
      return "";
    }
  }

  private static List<String[]> rows(long pid, String table) throws IOException {
    return Files.readAllLines(Path.of("/proc", Long.toString(pid), "net", table)).stream()
        .skip(1)
        .map(line -> line.strip().split("\\s+"))
        .toList();
  }

  /** The kernel writes words of 32 bits in the machine's order, which is little-endian here. */
  private static String address(String hex) throws IOException {
    int colon = hex.indexOf(':');
    byte[] bytes = new byte[colon / 2];
    for (int i = 0; i < bytes.length; i++) {
      int from = 2 * (i / 4 * 4 + 3 - i % 4);
      bytes[i] = (byte) Integer.parseInt(hex.substring(from, from + 2), 16);
    }
    return text(
        new InetSocketAddress(
            InetAddress.getByAddress(bytes), Integer.parseInt(hex.substring(colon + 1), 16)));
  }
}
