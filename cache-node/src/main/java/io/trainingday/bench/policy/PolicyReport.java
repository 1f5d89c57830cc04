package io.trainingday.bench.policy;

import io.trainingday.bench.report.Report;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Everything one run gave; the components' names are the report's keys. */
record PolicyReport(Report.Machine machine, int samples, int epochs, List<Row> rows) {

  /**
   * What one policy found of one trace.
   *
   * @param c samples the budget holds, of all samples
   * @param hitRate from the second epoch on, 0–1
   */
  record Row(String trace, double c, String policy, double hitRate) {}

  String text() {
    Map<String, Map<String, Double>> lines = new LinkedHashMap<>();
    List<String> policies = new ArrayList<>();
    for (Row row : rows) {
      lines
          .computeIfAbsent(
              String.format(Locale.ROOT, "%-12s %4.2f", row.trace(), row.c()),
              unused -> new LinkedHashMap<>())
          .put(row.policy(), row.hitRate());
      if (!policies.contains(row.policy())) {
        policies.add(row.policy());
      }
    }
    StringBuilder out = new StringBuilder();
    line(out, "%-12s %4s", "trace", "c");
    policies.forEach(policy -> out.append(String.format(Locale.ROOT, " %12s", policy)));
    lines.forEach(
        (name, rates) -> {
          out.append('\n').append(name);
          policies.forEach(
              policy ->
                  out.append(
                      String.format(Locale.ROOT, " %12.3f", rates.getOrDefault(policy, 0.0))));
        });
    out.append("\n\n");
    line(
        out,
        "Part of reads that were found, from epoch 2 to %d, of %,d samples; c: part of the samples"
            + " that the budget holds.%n",
        epochs,
        samples);
    line(
        out,
        "w-tinylfu: Caffeine, in this process; random-2-lru: page eviction of a bare Ignite, a page"
            + " a sample.%n");
    line(out, "%d cores, %s, %s%n", machine.cores(), machine.jvm(), machine.os());
    return out.toString();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values));
  }
}
