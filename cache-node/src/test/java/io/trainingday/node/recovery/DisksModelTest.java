package io.trainingday.node.recovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/**
 * Grids whose nodes fail, leave, join and publish, in which all are killed at any moment and any of
 * them come back: whoever goes on knows every publish that returned.
 *
 * <p>Real is {@link RestoreRule}; modelled is one data set as a number on each disk, and the order
 * in which nodes write. Two halves of a grid do not both live: that is tested with the membership.
 */
class DisksModelTest {
  /** Breaks an order on purpose. */
  private enum Sabotage {
    NONE,
    TELL_BEFORE_WRITING,
    NO_LEFT_MARK,
    NO_PROMISES
  }

  private static final class Grid {
    final Random random;
    final Sabotage sabotage;
    // By name: what is on the disks.
    final Map<String, Kept> disks = new TreeMap<>();
    final Map<String, Integer> keys = new TreeMap<>();
    int returned;
    int restored;
    int lives;
    int nextName;

    // The grid that runs; nobody when all are down.
    Life life = new Life(1, 0, 0);
    final Set<String> members = new TreeSet<>();
    final Set<String> joined = new HashSet<>();
    long version;
    int key;
    // Of each member: what it knows, as Agreement has it.
    final Map<String, Electorate> formed = new HashMap<>();
    final Map<String, List<Electorate>> attempts = new HashMap<>();
    final Map<String, Electorate> planned = new HashMap<>();

    Grid(long seed, Sabotage sabotage) {
      this.random = new Random(seed);
      this.sabotage = sabotage;
      int size = 1 + random.nextInt(4);
      life = new Life(1, 1, ++lives);
      for (int i = 0; i < size; i++) {
        members.add("n" + nextName++);
      }
      version = 1;
      Electorate all = electorate();
      for (String node : members) {
        formed.put(node, all);
        attempts.put(node, new ArrayList<>());
        joined.add(node);
        write(node);
      }
    }

    Electorate electorate() {
      return new Electorate(life, version, members);
    }

    List<Electorate> attemptsOf(String node) {
      return attempts.computeIfAbsent(node, n -> new ArrayList<>());
    }

    boolean dies() {
      return random.nextInt(60) == 0;
    }

    void killAll() {
      members.clear();
      joined.clear();
      formed.clear();
      attempts.clear();
      planned.clear();
    }

    /** As KeptCopy does: the keys first, if it is in the life. */
    void write(String node) {
      Electorate plan = planned.get(node);
      if (joined.contains(node)) {
        keys.put(node, key);
        disks.put(
            node,
            new Kept(node, life, Set.of(), formed.get(node), attemptsOf(node), List.of(), false));
      } else if (plan != null && sabotage != Sabotage.NO_PROMISES) {
        Kept before = disks.getOrDefault(node, Kept.nothing(node));
        List<Electorate> promises = new ArrayList<>(before.promises());
        promises.removeIf(p -> p.life().equals(plan.life()));
        promises.add(plan);
        Electorate known = formed.get(node);
        if (known != null && known.version() > plan.version()) {
          promises.add(known);
        }
        promises.addAll(attemptsOf(node));
        disks.put(node, before.promising(promises));
      }
    }

    /** The next membership is {@code next}; false if all died on the way. */
    boolean form(Set<String> next) {
      members.clear();
      members.addAll(next);
      version++;
      Electorate attempt = electorate();
      List<String> order = shuffled(next);
      for (String node : order) {
        attemptsOf(node).add(attempt);
        if (sabotage != Sabotage.TELL_BEFORE_WRITING) {
          write(node);
        }
        if (dies()) {
          return false;
        }
      }
      // Everybody has heard of it from all, sooner or later.
      int known = random.nextInt(4) == 0 ? random.nextInt(order.size() + 1) : order.size();
      for (String node : order.subList(0, known)) {
        formed.put(node, attempt);
        attemptsOf(node).clear();
        write(node);
        if (dies()) {
          return false;
        }
      }
      return true;
    }

    List<String> shuffled(Set<String> nodes) {
      List<String> order = new ArrayList<>(nodes);
      Collections.shuffle(order, random);
      return order;
    }

    boolean mayGoOn(Set<String> rest) {
      // As Agreement has it, of every membership anybody in it may count with.
      Set<Electorate> counted = new HashSet<>();
      long newest = -1;
      for (String node : rest) {
        Electorate known = formed.get(node);
        newest = known == null ? newest : Math.max(newest, known.version());
      }
      for (String node : rest) {
        Electorate known = formed.get(node);
        if (known != null && known.version() == newest) {
          counted.add(known);
        }
        for (Electorate attempt : attempts.getOrDefault(node, List.of())) {
          if (attempt.version() > newest) {
            counted.add(attempt);
          }
        }
      }
      return newest >= 0 && counted.stream().allMatch(e -> isEnough(e, rest));
    }

    static boolean isEnough(Electorate of, Set<String> rest) {
      long there = of.nodes().stream().filter(rest::contains).count();
      return 2 * there > of.nodes().size() || (of.nodes().size() <= 2 && there > 0);
    }

    void step() {
      if (members.isEmpty()) {
        comeBack();
        return;
      }
      boolean lives =
          switch (random.nextInt(9)) {
            case 0 -> fail();
            case 1 -> leave();
            case 2 -> join();
            case 3 -> false;
            case 4, 5 -> settle();
            default -> publish();
          };
      if (!lives) {
        killAll();
      }
    }

    boolean fail() {
      Set<String> rest = new TreeSet<>(members);
      rest.remove(shuffled(rest).get(0));
      if (rest.isEmpty() || !mayGoOn(rest)) {
        return false;
      }
      forget(rest);
      return form(rest);
    }

    boolean leave() {
      // Some may be gone before anything has been formed without the first one.
      do {
        if (members.size() < 2) {
          return false;
        }
        leave(shuffled(members).get(0));
        if (random.nextInt(3) == 0 && !publish()) {
          return false;
        }
      } while (random.nextInt(3) == 0);
      Set<String> rest = new TreeSet<>(members);
      return mayGoOn(rest) && form(rest);
    }

    void leave(String node) {
      Kept disk = disks.get(node);
      if (disk != null && sabotage != Sabotage.NO_LEFT_MARK) {
        disks.put(node, disk.leaving());
      }
      members.remove(node);
      forget(members);
      for (String other : members) {
        formed.computeIfPresent(other, (n, e) -> without(e, node));
        attemptsOf(other).replaceAll(e -> without(e, node));
      }
    }

    static Electorate without(Electorate from, String node) {
      Set<String> rest = new TreeSet<>(from.nodes());
      rest.remove(node);
      return new Electorate(from.life(), from.version(), rest);
    }

    void forget(Set<String> rest) {
      formed.keySet().retainAll(rest);
      attempts.keySet().retainAll(rest);
      joined.retainAll(rest);
      planned.keySet().retainAll(rest);
    }

    boolean join() {
      List<String> down = new ArrayList<>(disks.keySet());
      down.removeAll(members);
      String node =
          down.isEmpty() || random.nextBoolean()
              ? "n" + nextName++
              : down.get(random.nextInt(down.size()));
      if (members.size() > 5) {
        return true;
      }
      // It joins a life before it attempts anything.
      joined.add(node);
      attempts.put(node, new ArrayList<>());
      Set<String> more = new TreeSet<>(members);
      more.add(node);
      return form(more);
    }

    /** Whoever has not seen that the life has begun does so. */
    boolean settle() {
      for (String node : shuffled(members)) {
        joined.add(node);
        write(node);
        if (dies()) {
          return false;
        }
      }
      return true;
    }

    boolean publish() {
      Set<String> asked = new TreeSet<>();
      String publisher = shuffled(members).get(0);
      Electorate known = formed.get(publisher);
      if (known == null) {
        return true;
      }
      asked.addAll(known.nodes());
      attemptsOf(publisher).forEach(e -> asked.addAll(e.nodes()));
      if (!members.containsAll(asked)) {
        return true;
      }
      key++;
      for (String node : shuffled(asked)) {
        if (!joined.contains(node)) {
          // It confirms only once it is in the life: the publish does not return.
          return true;
        }
        keys.put(node, key);
        if (dies()) {
          return false;
        }
      }
      returned = key;
      return true;
    }

    void comeBack() {
      Set<String> here = new TreeSet<>();
      for (String node : disks.keySet()) {
        if (random.nextInt(5) < 3) {
          here.add(node);
        }
      }
      List<Kept> kept = here.stream().map(disks::get).toList();
      if (!(RestoreRule.decide(kept) instanceof Verdict.Restore restore)) {
        return;
      }
      int newest = 0;
      for (String source : restore.sources()) {
        newest = Math.max(newest, keys.getOrDefault(source, 0));
      }
      assertThat(newest).as("of %s", kept).isGreaterThanOrEqualTo(returned);
      restored++;
      life = new Life(1, restore.nextTerm(), ++lives);
      version = 1;
      members.addAll(here);
      Electorate plan = electorate();
      for (String node : shuffled(here)) {
        formed.put(node, plan);
        attempts.put(node, new ArrayList<>());
        planned.put(node, plan);
        write(node);
        if (dies()) {
          killAll();
          return;
        }
      }
      // It has begun; who sees that when is left to settle().
      key = newest;
    }
  }

  private static int run(long seed, Sabotage sabotage) {
    Grid grid = new Grid(seed, sabotage);
    for (int i = 0; i < 150; i++) {
      grid.step();
    }
    return grid.restored;
  }

  @Property(tries = 1_500)
  void whoeverGoesOn_knowsEveryPublishThatReturned(@ForAll long seed) {
    run(seed, Sabotage.NONE);
  }

  @Test
  void model_bringsGridsBackOften() {
    int restored = 0;
    for (long seed = 0; seed < 200; seed++) {
      restored += run(seed, Sabotage.NONE);
    }
    assertThat(restored).isGreaterThan(1_000);
  }

  @Test
  void model_whereAnOrderIsBroken_losesPublishes() {
    for (Sabotage sabotage : Sabotage.values()) {
      boolean lost = false;
      for (long seed = 0; seed < 20_000 && !lost; seed++) {
        try {
          run(seed, sabotage);
        } catch (AssertionError e) {
          lost = true;
        }
        if (sabotage == Sabotage.NONE && seed > 2_000) {
          break;
        }
      }
      assertThat(lost).as("%s", sabotage).isEqualTo(sabotage != Sabotage.NONE);
    }
  }
}
