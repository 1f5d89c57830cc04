package io.trainingday.node.versions;

import org.jspecify.annotations.Nullable;

/** The current view of one data set on this node; it only moves forward. */
final class ViewCell {
  private volatile @Nullable DatasetView view;
  private volatile @Nullable RuntimeException unreadable;

  /** The current view, or the reason why this node cannot know it: then it must not serve. */
  DatasetView view() {
    RuntimeException failure = unreadable;
    if (failure != null) {
      throw failure;
    }
    DatasetView current = view;
    if (current == null) {
      throw new IllegalStateException("no view yet");
    }
    return current;
  }

  synchronized void advance(DatasetView next) {
    DatasetView current = view;
    if (current == null || next.replaces(current)) {
      view = next;
    }
  }

  /** Ends this cell for good. */
  void fail(RuntimeException failure) {
    unreadable = failure;
  }
}
