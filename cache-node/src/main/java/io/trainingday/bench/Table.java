package io.trainingday.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** A report as text for people. */
final class Table {
  private static final double GIGA = 1e9;

  private Table() {}

  static String of(Report report) {
    StringBuilder out = new StringBuilder();
    report.rows().stream()
        .collect(Collectors.groupingBy(Table::caption, LinkedHashMap::new, Collectors.toList()))
        .forEach((caption, rows) -> block(out, caption, rows));
    comparison(report.rows()).forEach(line -> out.append(line).append('\n'));
    footer(out, report);
    return out.toString();
  }

  private static String caption(Row row) {
    return String.format(Locale.ROOT, "%d × %,d B", row.batch(), row.sampleBytes());
  }

  private static void block(StringBuilder out, String caption, List<Row> rows) {
    line(
        out,
        "%-18s %8s   %-15s %12s %12s %9s",
        caption,
        "GB/s",
        "min–max",
        "median µs",
        "p99 µs",
        "× memcpy");
    Optional<Row> memcpy = find(rows, PathKind.MEMCPY);
    for (Row row : rows) {
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
          memcpy
              .map(
                  m ->
                      String.format(Locale.ROOT, "%.3f", row.bytesPerSecond() / m.bytesPerSecond()))
              .orElse("–"));
    }
    out.append('\n');
  }

  /** How the lane stands to the others, a line for each size. */
  private static List<String> comparison(List<Row> rows) {
    List<String> lines = new ArrayList<>();
    for (Row lane : rows) {
      if (!lane.path().equals(PathKind.LANE_COLLATED.toString())) {
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
        lines.add("lane-collated, " + caption(lane) + ": " + others);
      }
    }
    return lines;
  }

  private static void footer(StringBuilder out, Report report) {
    Report.Method method = report.method();
    line(out, "");
    line(
        out,
        "GB/s: median of %d rounds of %d ms, all paths taking turns; µs: one batch. One reading thread,",
        method.rounds(),
        method.sliceMillis());
    line(out, "random order, the same for all. Each path delivers whole batches:");
    for (Report.Path path : report.paths()) {
      line(out, "  %-14s %s", path.path(), path.does());
    }
    line(out, "`the buffer` is one direct buffer, used again for every batch. %s", method.node());
    for (Row row : report.rows()) {
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

  private static Optional<Row> find(List<Row> rows, PathKind kind) {
    return rows.stream().filter(row -> row.path().equals(kind.toString())).findFirst();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
