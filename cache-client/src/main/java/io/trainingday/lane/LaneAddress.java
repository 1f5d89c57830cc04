package io.trainingday.lane;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where a node listens: {@code unix:PATH} or {@code tcp://HOST:PORT}.
 *
 * @param text as written
 * @param source who said so, for messages
 */
public record LaneAddress(String text, String source) {
  /** The environment variable that names an address. */
  public static final String VARIABLE = "TRAINING_DAY_ADDRESS";

  private static final Path HOST_DIRECTORY = Path.of("/run/training-day");
  private static final String UNIX = "unix:";
  private static final String TCP = "tcp://";

  /** What {@code sockaddr_un} holds on Linux, without the final zero. */
  private static final int MAX_PATH_BYTES = 107;

  /**
   * Checks an address.
   *
   * @throws IllegalArgumentException if {@code text} is none; the message names {@code source}
   */
  public LaneAddress {
    if (text.startsWith(UNIX)) {
      int bytes = text.substring(UNIX.length()).getBytes(StandardCharsets.UTF_8).length;
      if (bytes < 1 || bytes > MAX_PATH_BYTES || text.indexOf('\0') >= 0) {
        throw refusal(
            text, source, "the path has %d bytes, allowed: 1–%d".formatted(bytes, MAX_PATH_BYTES));
      }
    } else if (text.startsWith(TCP)) {
      String rest = text.substring(TCP.length());
      int colon = rest.lastIndexOf(':');
      if (colon < 1 || port(rest.substring(colon + 1)) < 0) {
        throw refusal(text, source, "expected tcp://HOST:PORT with a port of 1–65535");
      }
    } else {
      throw refusal(text, source, "expected unix:PATH or tcp://HOST:PORT");
    }
  }

  /**
   * The node to talk to, by the order of {@code contract/lane.md}.
   *
   * @param argument what the caller asked for, null for nothing in particular
   * @param environment of the process
   * @throws IllegalArgumentException if the value that counts is no address
   */
  public static LaneAddress find(@Nullable String argument, Map<String, String> environment) {
    if (argument != null) {
      return new LaneAddress(argument, "the address given");
    }
    String variable = environment.get(VARIABLE);
    if (variable != null && !variable.isEmpty()) {
      return new LaneAddress(variable, VARIABLE);
    }
    return byDefault(HOST_DIRECTORY, Path.of("/tmp/training-day-" + userId()));
  }

  /** The host's node, unless only the user has one; or whose directory is there, in this order. */
  static LaneAddress byDefault(Path host, Path own) {
    Path hosts = host.resolve("lane.sock");
    Path users = own.resolve("lane.sock");
    boolean isMounted = Files.isDirectory(host);
    Path socket = Files.exists(hosts) || (isMounted && !Files.exists(users)) ? hosts : users;
    return new LaneAddress(UNIX + socket, "the default");
  }

  /**
   * A node's lane over TCP.
   *
   * @param hostAndPort {@code HOST:PORT}, as nodes tell of each other
   * @throws IllegalArgumentException if it is none
   */
  public static LaneAddress tcp(String hostAndPort, String source) {
    return new LaneAddress(TCP + hostAndPort, source);
  }

  /** Whether it is a Unix socket, so that node and caller are on one host. */
  public boolean isLocal() {
    return text.startsWith(UNIX);
  }

  /**
   * A path as a node tells of it: a relative one begins at the directory of its socket, as it is
   * seen here.
   *
   * @throws IllegalStateException if this is no Unix socket
   */
  public Path resolve(String told) {
    if (!isLocal()) {
      throw new IllegalStateException(text + " is no Unix socket");
    }
    return Path.of(text.substring(UNIX.length())).resolveSibling(told);
  }

  /** Resolves the host name; the result may be unresolved. */
  SocketAddress resolve() {
    if (isLocal()) {
      return UnixDomainSocketAddress.of(text.substring(UNIX.length()));
    }
    return new InetSocketAddress(host(), port());
  }

  /** The host of a TCP address, an IPv6 one without brackets. */
  String host() {
    String host = text.substring(TCP.length(), text.lastIndexOf(':'));
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }

  /** The port of a TCP address. */
  int port() {
    return port(text.substring(text.lastIndexOf(':') + 1));
  }

  private static int port(String digits) {
    if (!digits.matches("[0-9]{1,5}")) {
      return -1;
    }
    int port = Integer.parseInt(digits);
    return port >= 1 && port <= 65_535 ? port : -1;
  }

  /**
   * The numeric user id, the user's name where there is none; a file of the process stands in for
   * getuid, which Java lacks.
   */
  public static String userId() {
    Path process = Path.of("/proc/self");
    Path own = Files.exists(process) ? process : Path.of(System.getProperty("user.home", "/"));
    try {
      return String.valueOf(Files.getAttribute(own, "unix:uid"));
    } catch (IOException | UnsupportedOperationException e) {
      return System.getProperty("user.name", "0"); // No Unix: no node has made a default socket.
    }
  }

  private static IllegalArgumentException refusal(String text, String source, String why) {
    return new IllegalArgumentException("address '%s' (from %s): %s".formatted(text, source, why));
  }

  @Override
  public String toString() {
    return text;
  }
}
