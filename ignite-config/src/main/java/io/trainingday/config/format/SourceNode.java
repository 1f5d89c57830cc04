package io.trainingday.config.format;

import java.util.List;

/** What a file says, before anything is made of it: nothing is merged, converted or dropped. */
sealed interface SourceNode {

  /** What a scalar looks like in YAML; in XML all are text. */
  enum Style {
    TEXT,
    NUMBER,
    BOOLEAN,
    NULL
  }

  record Scalar(String text, Style style) implements SourceNode {}

  record Sequence(List<SourceNode> elements) implements SourceNode {}

  record Section(List<Entry> entries) implements SourceNode {}

  record Entry(String name, SourceNode value) {}
}
