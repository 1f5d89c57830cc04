package io.trainingday.node.versions;

import org.jspecify.annotations.Nullable;

/** The newest view of one data set this node has decoded; it only moves forward. */
final class ViewCell {
  private final long dataset;
  private volatile @Nullable DatasetView view;

  ViewCell(long dataset) {
    this.dataset = dataset;
  }

  long dataset() {
    return dataset;
  }

  @Nullable DatasetView view() {
    return view;
  }

  /** The newer of the two, which is the view from now on. */
  synchronized DatasetView advance(DatasetView next) {
    DatasetView current = view;
    if (current == null || next.replaces(current)) {
      view = next;
      return next;
    }
    return current;
  }
}
