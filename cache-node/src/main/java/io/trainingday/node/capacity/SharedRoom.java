package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Admits records as {@link Admission} does, and within their data set's share: not beyond its
 * quota, not into what another one is guaranteed, and for the price of older records where its
 * policy says so.
 */
final class SharedRoom implements Room {
  private static final long FIRST_PAUSE_MILLIS = 1;
  private static final long LONGEST_PAUSE_MILLIS = 16;

  private final Admission admission;
  private final Shares shares;
  private final Evictor evictor;

  SharedRoom(Admission admission, Shares shares, Evictor evictor) {
    this.admission = admission;
    this.shares = shares;
    this.evictor = evictor;
  }

  @Override
  public @Nullable Refusal tryAdmit(SampleKey key, int recordBytes, List<UUID> targets) {
    DatasetShare share = shares.of(key.dataset());
    Refusal refusal = reserve(share, recordBytes, targets);
    if (refusal != null) {
      share.refused(refusal, recordBytes);
    }
    return refusal;
  }

  @Override
  public void refused(SampleKey key, int recordBytes, Refusal refusal) {
    shares.of(key.dataset()).refused(refusal, recordBytes);
  }

  private @Nullable Refusal reserve(DatasetShare share, int recordBytes, List<UUID> targets) {
    if (share.evicts()) {
      share.fills(System.nanoTime());
    }
    if (!share.tryTake(recordBytes)) {
      return evictor.makeQuota(share, recordBytes) ? Refusal.EVICTING : Refusal.QUOTA;
    }
    Admission.Terms terms =
        new Admission.Terms(
            evictor.keptPages(share),
            share.evicts(),
            share.unmetBytes() > 0,
            share.isCopied(targets.size()));
    Refusal refusal =
        share.isIndexFull() ? Refusal.BUDGET : admission.tryAdmit(recordBytes, targets, terms);
    if (refusal == null) {
      evictor.admitted(share);
      return null;
    }
    share.giveBack(recordBytes);
    if (refusal != Refusal.BUDGET) {
      return refusal;
    }
    boolean soon =
        !share.isIndexFull()
            && admission.roomPagesSoon(terms.copies()) - terms.keptPages()
                >= admission.pagesFor(recordBytes);
    return soon || evictor.makeRoom(share, recordBytes) ? Refusal.EVICTING : refusal;
  }

  @Override
  public @Nullable Refusal admit(
      SampleKey key, int recordBytes, List<UUID> targets, long patienceNanos)
      throws InterruptedException {
    long deadline = System.nanoTime() + patienceNanos;
    long pause = FIRST_PAUSE_MILLIS;
    Refusal refusal = tryAdmit(key, recordBytes, targets);
    while (refusal != null && refusal.passes() && deadline - System.nanoTime() > 0) {
      TimeUnit.MILLISECONDS.sleep(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
      refusal = tryAdmit(key, recordBytes, targets);
    }
    return refusal;
  }

  @Override
  public void stored(SampleKey key, int recordBytes) {
    shares.of(key.dataset()).stored(key, shares.partition(key), recordBytes);
  }

  @Override
  public void release(SampleKey key, int recordBytes, List<UUID> targets) {
    admission.release(recordBytes, targets);
    shares.of(key.dataset()).giveBack(recordBytes);
  }
}
