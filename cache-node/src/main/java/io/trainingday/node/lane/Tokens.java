package io.trainingday.node.lane;

import io.trainingday.lane.LaneMessage.Role;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Who may do what over TCP: the lines {@code TOKEN TENANT ROLE[,ROLE] [GRANT:PATTERN[,PATTERN]…]}
 * of a file, {@code #} begins a comment. Tokens stand in no message. Immutable.
 */
final class Tokens {
  private static final Pattern TOKEN = Pattern.compile("[!-~]{1,4096}");
  private static final String LINE = "TOKEN TENANT ROLE[,ROLE] [GRANT:PATTERN[,PATTERN]]";
  private static final String READ = "read";
  private static final String FILL = "fill";
  private static final String ADMIN = "admin";
  private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9._-]{1,63}");

  private final List<Entry> entries;

  private record Entry(int line, String token, Grant grant) {}

  private Tokens(List<Entry> entries) {
    this.entries = List.copyOf(entries);
  }

  /**
   * Reads a file.
   *
   * @throws LaneStartException when it cannot be read or used, with all that is wrong, by line
   */
  static Tokens read(Path file) {
    List<String> lines;
    try {
      lines = Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (CharacterCodingException e) {
      throw new LaneStartException("lane.tokensFile=%s is no UTF-8 text".formatted(file), e);
    } catch (IOException e) {
      throw new LaneStartException(
          "lane.tokensFile=%s cannot be read (%s), give a file that this user may read"
              .formatted(file, e.getClass().getSimpleName()),
          e);
    }
    List<Entry> entries = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).strip();
      if (!line.isEmpty() && !line.startsWith("#")) {
        parse(i + 1, line, entries, problems);
      }
    }
    if (problems.isEmpty() && entries.isEmpty()) {
      problems.add("no token, so that nobody could connect; add a line TOKEN TENANT ROLE[,ROLE]");
    }
    if (!problems.isEmpty()) {
      throw new LaneStartException(
          "lane.tokensFile=%s: %s".formatted(file, String.join("; ", problems)));
    }
    return new Tokens(entries);
  }

  private static void parse(int number, String line, List<Entry> entries, List<String> problems) {
    String[] parts = line.split("\\s+", -1);
    if (parts.length < 3) {
      problems.add("line %d has %d words, expected %s".formatted(number, parts.length, LINE));
      return;
    }
    String token = parts[0];
    if (!TOKEN.matcher(token).matches()) {
      problems.add(
          "line %d: the token has %d characters, take 1 to 4096 of printable ASCII"
              .formatted(number, token.length()));
    }
    for (Entry other : entries) {
      if (other.token.equals(token)) {
        problems.add("line %d repeats the token of line %d".formatted(number, other.line));
      }
    }
    if (!TENANT.matcher(parts[1]).matches()) {
      problems.add(
          "line %d: tenant=\"%s\", take 1 to 63 of A-Z a-z 0-9 . _ -".formatted(number, parts[1]));
    }
    Set<Role> roles = EnumSet.noneOf(Role.class);
    for (String name : parts[2].split(",", -1)) {
      Role role = role(name);
      if (role == null) {
        problems.add("line %d: role=\"%s\", take trainer, peer or admin".formatted(number, name));
      } else {
        roles.add(role);
      }
    }
    DatasetGrants datasets =
        grants(number, roles, Arrays.asList(parts).subList(3, parts.length), problems);
    entries.add(new Entry(number, token, new Grant(parts[1], roles, datasets)));
  }

  private static DatasetGrants grants(
      int number, Set<Role> roles, List<String> words, List<String> problems) {
    if (words.isEmpty()) {
      return DatasetGrants.ALL;
    }
    Map<String, List<String>> byKind = new HashMap<>();
    for (String word : words) {
      int colon = word.indexOf(':');
      String kind = colon < 0 ? word : word.substring(0, colon);
      List<String> patterns =
          colon < 0 ? List.of() : Arrays.asList(word.substring(colon + 1).split(",", -1));
      if (!List.of(READ, FILL, ADMIN).contains(kind)
          || patterns.isEmpty()
          || patterns.contains("")) {
        problems.add(
            "line %d: grant=\"%s\", take read:, fill: or admin: and patterns of data-set names with commas"
                .formatted(number, word));
        continue;
      }
      Role needed = kind.equals(ADMIN) ? Role.ADMIN : Role.TRAINER;
      if (!roles.contains(needed)) {
        problems.add(
            "line %d: grant=\"%s\" is for the role %s, add it or take the grant out"
                .formatted(number, word, needed.name().toLowerCase(Locale.ROOT)));
      }
      byKind.computeIfAbsent(kind, absent -> new ArrayList<>()).addAll(patterns);
    }
    return new DatasetGrants(
        byKind.getOrDefault(READ, List.of()),
        byKind.getOrDefault(FILL, List.of()),
        byKind.getOrDefault(ADMIN, List.of()));
  }

  private static @Nullable Role role(String name) {
    for (Role role : Role.values()) {
      if (role.name().toLowerCase(Locale.ROOT).equals(name)) {
        return role;
      }
    }
    return null;
  }

  /** Whether both say the same. */
  boolean sameAs(Tokens other) {
    return entries.equals(other.entries);
  }

  /** What a token grants, empty for an unknown one. The time it takes tells nothing of either. */
  Optional<Grant> find(String token) {
    byte[] asked = digest(token);
    Entry found = null;
    for (Entry entry : entries) {
      if (MessageDigest.isEqual(digest(entry.token), asked)) {
        found = entry;
      }
    }
    return Optional.ofNullable(found).map(Entry::grant);
  }

  /** Those whose tokens may greet as anything but a node. */
  Set<String> tenants() {
    return entries.stream()
        .map(Entry::grant)
        .filter(grant -> !grant.roles().equals(Set.of(Role.PEER)))
        .map(Grant::tenant)
        .collect(Collectors.toSet());
  }

  /** Whether one of them is of this tenant. */
  boolean isTenant(String name) {
    return entries.stream().anyMatch(entry -> entry.grant.tenant().equals(name));
  }

  /** The token by which this node speaks to its peers: the first one with that role. */
  Optional<String> peerToken() {
    return entries.stream()
        .filter(entry -> entry.grant.roles().contains(Role.PEER))
        .map(Entry::token)
        .findFirst();
  }

  private static byte[] digest(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JDK lacks SHA-256, which every JDK must have", e);
    }
  }
}
