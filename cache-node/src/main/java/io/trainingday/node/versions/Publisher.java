package io.trainingday.node.versions;

import io.trainingday.node.membership.Change;
import io.trainingday.node.membership.Fence;
import io.trainingday.node.membership.FenceException;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.Manifest.Difference;
import io.trainingday.node.versions.VersionKey.Request;
import java.util.Optional;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/**
 * Makes new generations. Each is one transaction, and then passes the fence: when a publish
 * returns, no node serves what was before it.
 */
final class Publisher {
  private static final int MAX_CHANGED_SETS = 64;

  private final MetaStore store;
  private final Transactions transactions;
  private final Fence fence;

  Publisher(MetaStore store, Transactions transactions, Fence fence) {
    this.store = store;
    this.transactions = transactions;
    this.fence = fence;
  }

  /** What a publish is about: which data set, and by which id it may be repeated. */
  record Target(String scopedName, long dataset, String requestId) {}

  /** The generation made by a new source, or by the same one all of whose samples changed. */
  long source(Target target, Optional<SourceIdentity> newSource) {
    long content = Checks.hash("source " + newSource.map(SourceIdentity::toString).orElse(""));
    return publish(
        target, content, (key, request) -> key.published(request, newSource.orElse(key.source())));
  }

  /** The generation made by samples that changed; the current one if there are none. */
  long changed(Target target, Roaring64NavigableMap changed) {
    changed.runOptimize();
    return publish(
        target, Checks.hash(Layout.encode(changed)), (key, request) -> with(key, request, changed));
  }

  private static VersionKey with(VersionKey key, Request request, Roaring64NavigableMap changed) {
    if (changed.isEmpty()) {
      return key;
    }
    requireInRange(key, changed.first(), changed.last());
    return key.changed(request, changed, MAX_CHANGED_SETS);
  }

  private static void requireInRange(VersionKey key, long least, long most) {
    // The view refuses an index that is out of range, and knows how to say it.
    DatasetView view = new DatasetView(key);
    view.sampleVersion(least);
    view.sampleVersion(most);
  }

  /**
   * The generation made by what differs from the manifest kept; the current one if nothing does.
   */
  long manifest(Target target, Manifest manifest) {
    return publish(
        target,
        manifest.content(),
        (key, request) -> {
          if (manifest.isEmpty()) {
            return key;
          }
          requireInRange(key, manifest.least(), manifest.most());
          // Compare and set: whoever holds the version key is alone with its manifest.
          Difference difference =
              manifest.from(
                  store.manifest(manifest.chunks(target.dataset())),
                  target.dataset(),
                  key.incarnation());
          if (difference.chunks().isEmpty()) {
            return key;
          }
          store.keepManifest(difference.chunks(), difference.growth());
          return with(key.revised(), request, difference.changed());
        });
  }

  private interface Step {
    /** The next version key; the same if nothing changed. In a transaction that may be repeated. */
    VersionKey apply(VersionKey key, Request request);
  }

  /**
   * Refuses what this node may not do for want of a majority.
   *
   * @throws DatasetRefusedException MINORITY
   * @throws GridUnavailableException when it cannot tell now
   */
  void requireMajority(String what) {
    try {
      fence.requireMajority();
    } catch (FenceException e) {
      String message = what + " is refused: " + e.getMessage();
      throw e.reason() == FenceException.Reason.MINORITY
          ? minority(message)
          : new GridUnavailableException(message, e);
    }
  }

  private long publish(Target target, long content, Step step) {
    long deadline = transactions.deadline();
    String what = "publish of data set \"%s\"".formatted(target.scopedName());
    requireMajority(what);
    Change made = transactions.run(what, deadline, () -> commit(target, content, step));
    try {
      // A repeated request, too: the first one may have failed here.
      fence.pass(made, deadline);
    } catch (FenceException e) {
      if (e.reason() == FenceException.Reason.MINORITY) {
        throw minority(
            "%s: generation %d was made here, but %s; publish it again through a node of the other side"
                .formatted(what, made.generation(), e.getMessage()));
      }
      throw new GridUnavailableException(
          "%s: generation %d was made, but a node may still serve the one before: %s; repeat it with the same request id"
              .formatted(what, made.generation(), e.getMessage()),
          e);
    }
    return made.generation();
  }

  private Change commit(Target target, long content, Step step) {
    VersionKey key = known(target);
    Long before = key.generationOf(target.requestId(), content);
    if (before != null) {
      return new Change(target.dataset(), key.incarnation(), before, key.revision());
    }
    VersionKey next =
        step.apply(key, new Request(target.requestId(), content, key.generation() + 1));
    if (next.generation() != key.generation()) {
      store.advance(target.dataset(), key, next);
    } else if (next.revision() != key.revision()) {
      store.annotate(target.dataset(), next);
    }
    return new Change(target.dataset(), key.incarnation(), next.generation(), next.revision());
  }

  private VersionKey known(Target target) {
    VersionKey key = store.key(target.dataset());
    if (key == null) {
      throw new DatasetRefusedException(
          Reason.UNKNOWN_DATASET,
          "data set \"%s\" is unknown, open it before publishing".formatted(target.scopedName()));
    }
    key.requireName(target.scopedName());
    return key;
  }

  private static DatasetRefusedException minority(String message) {
    return new DatasetRefusedException(Reason.MINORITY, message);
  }
}
