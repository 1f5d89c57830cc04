package io.trainingday.node.traces;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.longlong.LongIterator;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/**
 * The fates of one data set's records. Thread-safe.
 *
 * <p>Which records went with lost partitions takes a look at each, too long for a lock or a
 * listener. So {@link #lose} only sets aside what was kept until then, at a cost that does not grow
 * with it, and from then on everybody sees what is lost; {@link #settle} looks through it later,
 * outside of the lock.
 */
final class DatasetTraces {
  static final int ANY_BACKUPS = -1;

  /** What the keys of the records of one set have in common. */
  private record Space(long incarnation, long pipeline, long sampleVersion, int variant) {
    static Space of(SampleKey key) {
      return new Space(key.incarnation(), key.pipeline(), key.sampleVersion(), key.variant());
    }
  }

  /** What was kept when partitions were lost; some of it is gone. */
  private static final class SetAside {
    /** Unchanged until this is settled, so that it is read without the lock. */
    private final Roaring64Bitmap kept;

    private final int backups;
    private List<Traces.Loss> losses;

    /** What has got another fate meanwhile. */
    private final Roaring64Bitmap overtaken = new Roaring64Bitmap();

    SetAside(Roaring64Bitmap kept, int backups, List<Traces.Loss> losses) {
      this.kept = kept;
      this.backups = backups;
      this.losses = losses;
    }

    boolean has(long index) {
      return kept.contains(index) && !overtaken.contains(index);
    }

    Fate of(long index) {
      return isLost(losses, backups, index) ? Fate.LOST : Fate.KEPT;
    }
  }

  /** Each index is in one of the sets at most. */
  private static final class Fates {
    private final EnumMap<Fate, Roaring64Bitmap> byFate = new EnumMap<>(Fate.class);
    private final Deque<SetAside> setAside = new ArrayDeque<>();
    private int backups = ANY_BACKUPS;

    @Nullable Fate of(long index) {
      for (Map.Entry<Fate, Roaring64Bitmap> one : byFate.entrySet()) {
        if (one.getValue().contains(index)) {
          return one.getKey();
        }
      }
      for (SetAside part : setAside) {
        if (part.has(index)) {
          return part.of(index);
        }
      }
      return null;
    }

    void put(long index, Fate fate) {
      byFate.forEach(
          (other, indices) -> {
            if (other != fate) {
              indices.removeLong(index);
            }
          });
      for (SetAside part : setAside) {
        if (part.kept.contains(index)) {
          part.overtaken.addLong(index);
        }
      }
      with(fate).addLong(index);
    }

    void lose(List<Traces.Loss> all) {
      List<Traces.Loss> losses = all.stream().filter(loss -> loss.backups() == backups).toList();
      if (losses.isEmpty()) {
        return;
      }
      for (SetAside part : setAside) {
        List<Traces.Loss> more = new ArrayList<>(part.losses);
        more.addAll(losses);
        part.losses = more;
      }
      Roaring64Bitmap kept = byFate.remove(Fate.KEPT);
      if (kept != null) {
        setAside.add(new SetAside(kept, backups, losses));
      }
    }

    void settle(SetAside part, Roaring64Bitmap gone) {
      setAside.remove(part);
      gone.andNot(part.overtaken);
      part.kept.andNot(part.overtaken);
      part.kept.andNot(gone);
      with(Fate.LOST).or(gone);
      with(Fate.KEPT).or(part.kept);
    }

    private Roaring64Bitmap with(Fate fate) {
      return byFate.computeIfAbsent(fate, unused -> new Roaring64Bitmap());
    }

    boolean hasKept(long index) {
      return of(index) == Fate.KEPT;
    }

    long bytes() {
      long bytes = byFate.values().stream().mapToLong(Roaring64Bitmap::getLongSizeInBytes).sum();
      for (SetAside part : setAside) {
        bytes += part.kept.getLongSizeInBytes() + part.overtaken.getLongSizeInBytes();
      }
      return bytes;
    }
  }

  // All guarded by this; the space used last comes last.
  private final Map<Space, Fates> spaces = new LinkedHashMap<>(16, 0.75f, true);
  private boolean forgot;

  synchronized void note(SampleKey key, Fate fate, int backups) {
    Fates fates = spaces.computeIfAbsent(Space.of(key), unused -> new Fates());
    if (backups != ANY_BACKUPS) {
      fates.backups = backups;
    }
    fates.put(key.index(), fate);
  }

  synchronized @Nullable Fate fate(SampleKey key) {
    Fates fates = spaces.get(Space.of(key));
    return fates == null ? null : fates.of(key.index());
  }

  synchronized Reason reason(SampleKey key) {
    Fate own = fate(key);
    if (own != null) {
      return own.reason();
    }
    boolean otherVersion = false;
    boolean otherPipeline = false;
    for (Map.Entry<Space, Fates> one : spaces.entrySet()) {
      Space space = one.getKey();
      if (space.pipeline() != key.pipeline()) {
        otherPipeline |= one.getValue().hasKept(key.index());
      } else if (space.variant() == key.variant()) {
        otherVersion |= one.getValue().of(key.index()) != null;
      }
    }
    if (otherVersion) {
      return Reason.VERSION;
    }
    if (otherPipeline) {
      return Reason.FINGERPRINT;
    }
    return forgot ? Reason.UNKNOWN : Reason.COLD;
  }

  /** What was kept in these partitions is gone; to be followed by {@link #settle}. */
  synchronized void lose(List<Traces.Loss> losses) {
    spaces.values().forEach(fates -> fates.lose(losses));
  }

  /**
   * Looks through what losses have set aside: about 0.1 µs a record. Nobody sees a difference; one
   * thread at a time.
   */
  void settle() {
    while (settleOne()) {}
  }

  /** Whether there was something. */
  private boolean settleOne() {
    Fates fates;
    SetAside part;
    List<Traces.Loss> losses;
    synchronized (this) {
      fates =
          spaces.values().stream().filter(one -> !one.setAside.isEmpty()).findFirst().orElse(null);
      if (fates == null) {
        return false;
      }
      part = fates.setAside.element();
      losses = part.losses;
    }
    Roaring64Bitmap gone = new Roaring64Bitmap();
    for (LongIterator all = part.kept.getLongIterator(); all.hasNext(); ) {
      long index = all.next();
      if (isLost(losses, part.backups, index)) {
        gone.addLong(index);
      }
    }
    synchronized (this) {
      // More was lost meanwhile: looked through once more.
      if (part.losses.equals(losses)) {
        fates.settle(part, gone);
      }
    }
    return true;
  }

  private static boolean isLost(List<Traces.Loss> losses, int backups, long index) {
    for (Traces.Loss loss : losses) {
      if (loss.backups() == backups
          && loss.partitions().get(BoundedLoadAffinity.partition(index, loss.partitionCount()))) {
        return true;
      }
    }
    return false;
  }

  synchronized List<SampleKey> lost(long dataset, long index) {
    List<SampleKey> lost = new ArrayList<>();
    spaces.forEach(
        (space, fates) -> {
          if (fates.of(index) == Fate.LOST) {
            lost.add(
                new SampleKey(
                    dataset,
                    space.incarnation(),
                    space.pipeline(),
                    space.sampleVersion(),
                    space.variant(),
                    index));
          }
        });
    return lost;
  }

  synchronized long bytes() {
    return spaces.values().stream().mapToLong(Fates::bytes).sum();
  }

  synchronized int spaces() {
    return spaces.size();
  }

  /** Forgets the space that was used longest ago; the bytes it took. */
  synchronized long forgetOldest() {
    var oldest = spaces.entrySet().iterator();
    if (!oldest.hasNext()) {
      return 0;
    }
    long bytes = oldest.next().getValue().bytes();
    oldest.remove();
    forgot = true;
    return bytes;
  }
}
