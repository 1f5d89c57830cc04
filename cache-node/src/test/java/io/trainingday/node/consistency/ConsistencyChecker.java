package io.trainingday.node.consistency;

import io.trainingday.node.consistency.Operation.Changed;
import io.trainingday.node.consistency.Operation.Publish;
import io.trainingday.node.consistency.Operation.Read;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Checks reads against publishes. A read is
 *
 * <ul>
 *   <li>stale, if it started after a publish of its sample had returned, and its content was made
 *       from the source before;
 *   <li>wrong, if its content is of another sample, or of a version in which the sample did not
 *       change, or of one that was not begun when the read ended.
 * </ul>
 *
 * <p>O(log publishes) a read.
 */
public final class ConsistencyChecker {
  /** What a read must not do. */
  public enum Kind {
    STALE,
    WRONG_CONTENT
  }

  /**
   * A read that did it.
   *
   * @param read as it was logged
   * @param why in words
   */
  public record Violation(Kind kind, Read read, String why) {}

  /** The newest version that had returned, as a step function of time. */
  private static final class Returned {
    private final long[] times;
    private final long[] newest;

    Returned(List<Publish> publishes) {
      List<Publish> sorted = new ArrayList<>(publishes);
      sorted.removeIf(publish -> publish.returnNanos() == Operation.NEVER);
      sorted.sort(Comparator.comparingLong(Publish::returnNanos));
      times = sorted.stream().mapToLong(Publish::returnNanos).toArray();
      newest = sorted.stream().mapToLong(Publish::version).toArray();
      for (int i = 1; i < newest.length; i++) {
        newest[i] = Math.max(newest[i], newest[i - 1]);
      }
    }

    long newestBefore(long time) {
      int at = Arrays.binarySearch(times, time);
      int before = at >= 0 ? at : -at - 1;
      // Of equal times the search may give any.
      while (before > 0 && times[before - 1] >= time) {
        before--;
      }
      return before == 0 ? 0 : newest[before - 1];
    }
  }

  private final Map<Long, Publish> byVersion = new HashMap<>();
  private final Map<Long, Returned> ofSamples = new HashMap<>();
  private final Map<Long, Set<Long>> versionsOfSamples = new HashMap<>();
  private final Returned ofAll;

  /**
   * @param publishes of one data set, no version twice
   */
  public ConsistencyChecker(Collection<Publish> publishes) {
    Map<Long, List<Publish>> bySample = new HashMap<>();
    List<Publish> all = new ArrayList<>();
    for (Publish publish : publishes) {
      if (publish.version() <= 0 || byVersion.put(publish.version(), publish) != null) {
        throw new IllegalArgumentException("version is not positive or there twice: " + publish);
      }
      Changed changed = publish.changed();
      if (changed == null) {
        all.add(publish);
        continue;
      }
      for (long index : changed.indices()) {
        bySample.computeIfAbsent(index, i -> new ArrayList<>()).add(publish);
        versionsOfSamples.computeIfAbsent(index, i -> new HashSet<>()).add(publish.version());
      }
    }
    ofAll = new Returned(all);
    bySample.forEach((index, ofSample) -> ofSamples.put(index, new Returned(ofSample)));
  }

  /** The violations of the reads, in their order, none twice. */
  public List<Violation> check(Collection<Read> reads) {
    List<Violation> violations = new ArrayList<>();
    for (Read read : reads) {
      if (read.contentIndex() != read.index()) {
        violations.add(wrong(read, "the content is of sample %d".formatted(read.contentIndex())));
      } else if (!mayHaveMade(read)) {
        violations.add(
            wrong(read, "no version %d of it had begun".formatted(read.contentVersion())));
      } else {
        long required = required(read);
        if (read.contentVersion() < required) {
          violations.add(
              new Violation(
                  Kind.STALE,
                  read,
                  "version %d had been published %d ns before"
                      .formatted(required, read.startNanos() - returned(required))));
        }
      }
    }
    return violations;
  }

  private static Violation wrong(Read read, String why) {
    return new Violation(Kind.WRONG_CONTENT, read, why);
  }

  private boolean mayHaveMade(Read read) {
    if (read.contentVersion() == 0) {
      return true;
    }
    Publish publish = byVersion.get(read.contentVersion());
    if (publish == null || publish.startNanos() > read.endNanos()) {
      return false;
    }
    return publish.changed() == null
        || versionsOfSamples.getOrDefault(read.index(), Set.of()).contains(read.contentVersion());
  }

  private long required(Read read) {
    Returned ofSample = ofSamples.get(read.index());
    long newest = ofAll.newestBefore(read.startNanos());
    return ofSample == null ? newest : Math.max(newest, ofSample.newestBefore(read.startNanos()));
  }

  private long returned(long version) {
    Publish publish = byVersion.get(version);
    return publish == null ? Operation.NEVER : publish.returnNanos();
  }
}
