package io.trainingday.node.traces;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.longlong.LongIterator;
import org.roaringbitmap.longlong.Roaring64Bitmap;

/** The fates of one data set's records. Thread-safe. */
final class DatasetTraces {
  static final int ANY_BACKUPS = -1;

  /** What the keys of the records of one set have in common. */
  private record Space(long incarnation, long pipeline, long sampleVersion, int variant) {
    static Space of(SampleKey key) {
      return new Space(key.incarnation(), key.pipeline(), key.sampleVersion(), key.variant());
    }
  }

  /** Each index is in one of the sets at most. */
  private static final class Fates {
    private final EnumMap<Fate, Roaring64Bitmap> byFate = new EnumMap<>(Fate.class);
    private int backups = ANY_BACKUPS;

    @Nullable Fate of(long index) {
      for (Map.Entry<Fate, Roaring64Bitmap> one : byFate.entrySet()) {
        if (one.getValue().contains(index)) {
          return one.getKey();
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
      byFate.computeIfAbsent(fate, unused -> new Roaring64Bitmap()).addLong(index);
    }

    boolean hasKept(long index) {
      Roaring64Bitmap kept = byFate.get(Fate.KEPT);
      return kept != null && kept.contains(index);
    }

    long bytes() {
      return byFate.values().stream().mapToLong(Roaring64Bitmap::getLongSizeInBytes).sum();
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

  /** What was kept in these partitions is gone. */
  synchronized void lose(List<Traces.Loss> losses) {
    for (Fates fates : spaces.values()) {
      Roaring64Bitmap kept = fates.byFate.get(Fate.KEPT);
      if (kept != null) {
        Roaring64Bitmap gone = new Roaring64Bitmap();
        for (LongIterator all = kept.getLongIterator(); all.hasNext(); ) {
          long index = all.next();
          if (losses.stream().anyMatch(loss -> isLost(loss, fates.backups, index))) {
            gone.addLong(index);
          }
        }
        kept.andNot(gone);
        fates.byFate.computeIfAbsent(Fate.LOST, unused -> new Roaring64Bitmap()).or(gone);
      }
    }
  }

  private static boolean isLost(Traces.Loss loss, int backups, long index) {
    return loss.backups() == backups
        && loss.partitions().get(BoundedLoadAffinity.partition(index, loss.partitionCount()));
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
