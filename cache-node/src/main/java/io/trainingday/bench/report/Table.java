package io.trainingday.bench.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** A report as text for people. */
final class Table {
  private static final double GIGA = 1e9;

  private final Report report;
  private final String limit;
  private final List<String> ours;

  private Table(Report report, String limit, List<String> ours) {
    this.report = report;
    this.limit = limit;
    this.ours = ours;
  }

  static String of(Report report, String limit, List<String> ours) {
    return new Table(report, limit, ours).text();
  }

  private String text() {
    StringBuilder out = new StringBuilder();
    report.rows().stream()
        .collect(Collectors.groupingBy(Table::caption, LinkedHashMap::new, Collectors.toList()))
        .forEach((caption, rows) -> block(out, caption, rows));
    comparison(report.rows()).forEach(line -> out.append(line).append('\n'));
    footer(out);
    return out.toString();
  }

  private static String caption(Report.Row row) {
    return String.format(Locale.ROOT, "%d × %,d B", row.batch(), row.sampleBytes());
  }

  private void block(StringBuilder out, String caption, List<Report.Row> rows) {
    line(
        out,
        "%-18s %8s   %-15s %12s %12s %9s",
        caption,
        "GB/s",
        "min–max",
        "median µs",
        "p99 µs",
        "× " + limit);
    Optional<Report.Row> fastest = find(rows, limit);
    for (Report.Row row : rows) {
      line(
          out,
          "  %-16s %8.2f   %-15s %,12.1f %,12.1f %9s",
          row.path(),
          row.bytesPerSecond() / GIGA,
          String.format(
              Locale.ROOT,
              "%.2f–%.2f",
              row.minBytesPerSecond() / GIGA,
              row.maxBytesPerSecond() / GIGA),
          row.medianMicros(),
          row.p99Micros(),
          fastest
              .map(
                  m ->
                      String.format(Locale.ROOT, "%.3f", row.bytesPerSecond() / m.bytesPerSecond()))
              .orElse("–"));
    }
    out.append('\n');
  }

  /** How ours stand to the others, a line for each size. */
  private List<String> comparison(List<Report.Row> rows) {
    List<String> lines = new ArrayList<>();
    for (Report.Row lane : rows) {
      if (!ours.contains(lane.path())) {
        continue;
      }
      String others =
          rows.stream()
              .filter(row -> row.batch() == lane.batch() && row.sampleBytes() == lane.sampleBytes())
              .filter(row -> !row.path().startsWith("lane-"))
              .map(
                  row ->
                      String.format(
                          Locale.ROOT,
                          "%.2f × %s",
                          lane.bytesPerSecond() / row.bytesPerSecond(),
                          row.path()))
              .collect(Collectors.joining(", "));
      if (!others.isEmpty()) {
        lines.add(lane.path() + ", " + caption(lane) + ": " + others);
      }
    }
    return lines;
  }

  private void footer(StringBuilder out) {
    Report.Method method = report.method();
    line(out, "");
    line(
        out,
        "GB/s: median of %d rounds of %d ms, all paths taking turns; µs: one batch. One reading thread,",
        method.rounds(),
        method.sliceMillis());
    line(out, "random order, the same for all. Each path delivers whole batches:");
    for (Report.Path path : report.paths()) {
      line(out, "  %-16s %s", path.path(), path.does());
    }
    line(out, "`the buffer` is one direct buffer, used again for every batch. %s", method.node());
    for (Report.Row row : report.rows()) {
      if (row.inlineBatches() > 0) {
        line(
            out,
            "%s, %s: %,d of %,d batches came through the socket for want of shared memory.",
            row.path(),
            caption(row),
            row.inlineBatches(),
            row.batches());
      }
    }
    for (Report.Skipped skipped : report.skipped()) {
      line(out, "Left out: %s (%s).", skipped.path(), skipped.reason());
    }
    Report.Machine machine = report.machine();
    line(out, "%d cores, %s, %s", machine.cores(), machine.jvm(), machine.os());
  }

  private static Optional<Report.Row> find(List<Report.Row> rows, String path) {
    return rows.stream().filter(row -> row.path().equals(path)).findFirst();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
