package io.trainingday.node.recovery;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Tells from what nodes have kept whether they know the newest version keys. Pure.
 *
 * <h2>What the disks say</h2>
 *
 * The grid agrees on its memberships F1, F2, … by dynamic voting ({@link
 * io.trainingday.node.membership}): each has at least half of the one before, and nobody goes on
 * without. A node writes a membership to disk before it tells anyone that it attempts it, and a
 * publish returns when every node of the membership has the new version key on disk. So here the
 * same vote is taken once more, among disks.
 *
 * <h2>The rule</h2>
 *
 * Of the newest life that anyone knows, let F be the newest membership anyone knows to have been
 * formed. The nodes that are there must have <i>enough</i> of F, of every later attempt, and of
 * every promise of a life that may have begun since. Enough is more than half of those who cannot
 * be seen to have left in order, or all. Half is never enough here, though it may have been for
 * those who went on.
 *
 * <h2>Why no publish is lost</h2>
 *
 * Let F' be the membership behind F, formed without anyone's being here who knows. F' has at least
 * half of F, less those who left before; those here have more than half of the rest. So someone
 * here is in both, and has F' on disk as an attempt: enough of F' is asked for, too, and so on up
 * to the membership of the last publish, whose nodes all have it. Those who left in order have been
 * taken out of the count by those who stayed, maybe all of them, so that one of two went on alone:
 * whoever is here and left is not counted. Let L be those who left, V those of them who are here, X
 * the ones who went on: |X| ≥ (|F| - |L|) / 2, and those counted here are more than (|F| - |V|) /
 * 2. If they were disjoint, |F| ≥ |X| + |L ∪ V| + counted, which is more than |F|.
 *
 * <p>A new life begins when all who take part have promised, on disk, and have enough; two sets
 * that have enough of one membership have a node in common, so no two lives follow one.
 */
public final class RestoreRule {
  private RestoreRule() {}

  /**
   * What those who are there may do.
   *
   * @param kept of the nodes that are there, those that have kept anything
   */
  public static Verdict decide(Collection<Kept> kept) {
    Set<String> present = kept.stream().map(Kept::node).collect(Collectors.toSet());
    Set<Life> lives = new HashSet<>();
    for (Kept one : kept) {
      Life life = one.life();
      if (life != null) {
        lives.add(life);
      }
    }
    if (lives.isEmpty()) {
      return missing(allPromises(kept), kept, present)
          .<Verdict>map(Verdict.Waiting::new)
          .orElseGet(Verdict.Nothing::new);
    }
    Life newest = newest(lives, kept);
    if (newest == null) {
      return new Verdict.Waiting(
          "the nodes here kept version keys of grids of which none replaced all others; a node of the"
              + " grid that was last is missing");
    }
    List<Kept> inLife = kept.stream().filter(k -> newest.equals(k.life())).toList();
    Electorate formed = newestFormed(inLife);
    if (formed == null) {
      return new Verdict.Waiting(
          "the nodes here had only just joined the grid; one of those that were in it is missing");
    }
    Set<Long> ancestors = ancestors(newest.lineage(), kept);
    List<Electorate> asked = new ArrayList<>();
    asked.add(formed);
    for (Kept one : inLife) {
      one.attempts().stream().filter(e -> e.version() > formed.version()).forEach(asked::add);
    }
    // Who had only promised the life has its attempts on disk as well.
    Set<String> knowing =
        kept.stream()
            .filter(
                k ->
                    newest.equals(k.life())
                        || k.promises().stream().anyMatch(p -> p.life().equals(newest)))
            .map(Kept::node)
            .collect(Collectors.toSet());
    List<Electorate> promised =
        allPromises(kept).stream().filter(e -> mayFollow(e, newest, formed, ancestors)).toList();
    return missing(asked, kept, knowing)
        .or(() -> missing(promised, kept, present))
        .<Verdict>map(Verdict.Waiting::new)
        .orElseGet(
            () ->
                new Verdict.Restore(
                    newest,
                    1 + lastTerm(newest.lineage(), kept),
                    ancestors,
                    sources(inLife, formed)));
  }

  private static List<Electorate> allPromises(Collection<Kept> kept) {
    return kept.stream().flatMap(k -> k.promises().stream()).toList();
  }

  private static Optional<String> missing(
      List<Electorate> asked, Collection<Kept> kept, Set<String> voters) {
    Set<String> left = kept.stream().filter(Kept::left).map(Kept::node).collect(Collectors.toSet());
    return asked.stream()
        .filter(electorate -> !hasEnough(electorate, voters, left))
        .findFirst()
        .map(electorate -> missing(electorate, voters, left));
  }

  private static boolean hasEnough(Electorate electorate, Set<String> voters, Set<String> left) {
    if (voters.containsAll(electorate.nodes())) {
      return true;
    }
    Set<String> counted = new HashSet<>(electorate.nodes());
    counted.removeAll(left);
    long here = counted.stream().filter(voters::contains).count();
    return 2 * here > counted.size();
  }

  private static String missing(Electorate electorate, Set<String> voters, Set<String> left) {
    Set<String> here = new TreeSet<>(electorate.nodes());
    here.retainAll(voters);
    String text =
        "of the nodes that were in the grid last, %s, only %s are here with what they kept"
            .formatted(electorate, here);
    here.retainAll(left);
    return here.isEmpty()
        ? text + ", no majority"
        : text + ", of which %s left before the others".formatted(here);
  }

  /** The life that replaced all others; null if there is none. */
  private static @Nullable Life newest(Set<Life> lives, Collection<Kept> kept) {
    return lives.stream()
        .filter(
            life ->
                lives.stream().allMatch(other -> other.equals(life) || replaced(life, other, kept)))
        .findFirst()
        .orElse(null);
  }

  private static boolean replaced(Life life, Life other, Collection<Kept> kept) {
    if (life.lineage() == other.lineage()) {
      return life.term() > other.term();
    }
    return ancestors(life.lineage(), kept).contains(other.lineage())
        && !ancestors(other.lineage(), kept).contains(life.lineage());
  }

  private static Set<Long> ancestors(long lineage, Collection<Kept> kept) {
    Set<Long> ancestors = new TreeSet<>();
    for (Kept one : kept) {
      Life life = one.life();
      if (life != null && life.lineage() == lineage) {
        ancestors.addAll(one.ancestors());
      }
    }
    return ancestors;
  }

  private static @Nullable Electorate newestFormed(List<Kept> inLife) {
    Electorate newest = null;
    for (Kept one : inLife) {
      Electorate formed = one.formed();
      if (formed == null || (newest != null && formed.version() < newest.version())) {
        continue;
      }
      if (newest != null && formed.version() == newest.version()) {
        // Who is missing in one of them has left in order.
        Set<String> both = new HashSet<>(newest.nodes());
        both.retainAll(formed.nodes());
        formed = new Electorate(formed.life(), formed.version(), both);
      }
      newest = formed;
    }
    return newest;
  }

  /** Whether a promised life may have begun behind the newest membership known. */
  private static boolean mayFollow(
      Electorate promised, Life newest, Electorate formed, Set<Long> ancestors) {
    Life life = promised.life();
    if (life.equals(newest)) {
      return promised.version() > formed.version();
    }
    // No two lives follow one, so another one of the same term never began.
    return life.lineage() == newest.lineage()
        ? life.term() > newest.term()
        : !ancestors.contains(life.lineage());
  }

  private static long lastTerm(long lineage, Collection<Kept> kept) {
    long last = 0;
    for (Kept one : kept) {
      Life life = one.life();
      if (life != null && life.lineage() == lineage) {
        last = Math.max(last, life.term());
      }
      for (Electorate promise : one.promises()) {
        if (promise.life().lineage() == lineage) {
          last = Math.max(last, promise.life().term());
        }
      }
    }
    return last;
  }

  /** Who took part in the newest membership or a later one; others' keys may be of the past. */
  private static Set<String> sources(List<Kept> inLife, Electorate formed) {
    Set<String> sources = new TreeSet<>();
    for (Kept one : inLife) {
      Electorate own = one.formed();
      boolean knows =
          (own != null && own.version() >= formed.version())
              || one.attempts().stream().anyMatch(e -> e.version() >= formed.version());
      if (knows) {
        sources.add(one.node());
      }
    }
    return sources;
  }
}
