package io.trainingday.cli;

import io.trainingday.config.Settings;
import io.trainingday.processes.NodeEndpoints;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** A grid on this machine as text for people. */
final class GridText {
  private GridText() {}

  static String of(List<NodeEndpoints> nodes, Settings settings, Path directory) {
    StringBuilder text = new StringBuilder();
    line(
        text,
        nodes.size() == 1 ? "one cache node serves" : "%d cache nodes serve as one grid",
        nodes.size());
    line(text, "%-10s %8s  %-10s  metrics", "node", "process", "host id");
    for (NodeEndpoints node : nodes) {
      line(text, "%-10s %8d  %-10s  %s", node.id(), node.pid(), node.hostId(), node.metrics());
    }
    line(text, "");
    line(text, "A trainer attaches to one of them, by shared memory or by TCP alone:");
    for (NodeEndpoints node : nodes) {
      line(
          text,
          "  TRAINING_DAY_ADDRESS=unix:%s   TRAINING_DAY_ADDRESS=%s",
          node.socket(),
          node.tcp());
    }
    line(
        text,
        "%s for samples each; logs are in %s. Ctrl-C stops all and removes it.",
        settings.memory().maxSize(),
        directory);
    return text.toString();
  }

  private static void line(StringBuilder text, String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append(System.lineSeparator());
  }
}
