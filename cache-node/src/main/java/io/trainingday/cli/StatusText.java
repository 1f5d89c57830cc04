package io.trainingday.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A node's status as text for people. What a node of another version does not tell is shown as 0.
 */
final class StatusText {
  private static final double NANOS_PER_MILLI = 1e6;
  private static final double PERCENT = 100;
  private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB"};

  private StatusText() {}

  static String of(JsonNode status) {
    List<String> lines = new ArrayList<>();
    String notReady = status.at("/notReady").asText();
    lines.add(
        format(
            "cache node %s on %s, up %s, %s",
            status.at("/version").asText(),
            status.at("/hostId").asText(),
            duration(status.at("/uptimeMillis").asLong()),
            notReady.isEmpty() ? "ready" : "not ready: " + notReady));
    reload(status.at("/reload"), lines);
    grid(status.at("/grid"), lines);
    memory(status.at("/memory"), lines);
    disk(status.at("/disk"), lines);
    lane(status.at("/lane"), lines);
    fills(status.at("/fills"), lines);
    datasets(status.at("/datasets"), lines);
    shares(status.at("/datasets"), lines);
    return String.join(System.lineSeparator(), lines);
  }

  /** Nothing while everything that stands in the files is in force. */
  private static void reload(JsonNode reload, List<String> lines) {
    List<String> told = new ArrayList<>();
    List<String> keys = reload.path("restartNeeded").valueStream().map(JsonNode::asText).toList();
    if (!keys.isEmpty()) {
      told.add("restart needed for: " + String.join(", ", keys));
    }
    reload.path("notInForce").forEach(text -> told.add("not in force: " + text.asText()));
    refused("the settings file is", "it", reload.path("settings"), told);
    refused("the tokens file is", "it", reload.path("tokens"), told);
    refused("the certificates of lane.tls are", "they", reload.path("laneTls"), told);
    refused("the certificates of grid.tls are", "they", reload.path("gridTls"), told);
    for (int i = 0; i < told.size(); i++) {
      lines.add((i == 0 ? "settings " : "         ") + told.get(i));
    }
  }

  private static void refused(String what, String it, JsonNode source, List<String> told) {
    String refusal = source.path("refusal").asText();
    if (!refusal.isEmpty()) {
      told.add(
          format(
              "%s refused for %s, what %s said before holds on:",
              what, duration(source.path("refusedMillis").asLong()), it));
      refusal.lines().forEach(line -> told.add("  " + line));
    }
  }

  private static void grid(JsonNode grid, List<String> lines) {
    lines.add(
        format(
            "grid     %,d nodes, %,d of %,d partitions written here, topology version %d",
            grid.path("nodes").size(),
            grid.path("primaries").asLong(),
            grid.path("partitions").asLong(),
            grid.path("topologyVersion").asLong()));
    long arriving = grid.path("arriving").asLong();
    if (arriving > 0) {
      lines.add(format("         %,d partitions are on their way here", arriving));
    }
  }

  private static void memory(JsonNode memory, List<String> lines) {
    long max = memory.path("maxBytes").asLong();
    lines.add(
        format(
            "memory   %s of %s used (%s), %s of it kept free",
            bytes(memory.path("usedBytes")),
            bytes(memory.path("maxBytes")),
            percent(memory.path("usedBytes").asLong(), max),
            bytes(memory.path("headroomBytes"))));
    String closed = memory.path("closedReason").asText();
    if (!closed.isEmpty()) {
      lines.add("         takes no more samples: " + closed);
    }
  }

  /** Nothing of a node without a disk tier. */
  private static void disk(JsonNode disk, List<String> lines) {
    long max = disk.path("maxBytes").asLong();
    if (max == 0) {
      return;
    }
    lines.add(
        format(
            "disk     %s of %s used (%s), %,d records, %,d read, %,d damaged",
            bytes(disk.path("usedBytes")),
            bytes(disk.path("maxBytes")),
            percent(disk.path("usedBytes").asLong(), max),
            disk.path("records").asLong(),
            disk.path("hits").asLong(),
            disk.path("damaged").asLong()));
    List<String> refused = counts(disk.path("refusals"), "");
    if (!refused.isEmpty()) {
      lines.add("         refused: " + String.join(", ", refused));
    }
  }

  private static void lane(JsonNode lane, List<String> lines) {
    long batches = lane.path("batches").asLong();
    double millis =
        batches == 0 ? 0 : (double) lane.path("batchNanos").asLong() / batches / NANOS_PER_MILLI;
    lines.add(
        format(
            "lane     %,d of %,d connections, %s of %s shared memory",
            lane.path("connections").asLong(),
            lane.path("maxConnections").asLong(),
            bytes(lane.path("slotsBytes")),
            bytes(lane.path("slotsMaxBytes"))));
    if (lane.path("tenants").size() > 1) {
      lane.path("tenants")
          .forEach(
              tenant ->
                  lines.add(
                      format(
                          "         of tenant %s: %,d connections, %s shared memory",
                          tenant.path("name").asText(),
                          tenant.path("connections").asLong(),
                          bytes(tenant.path("slotsBytes")))));
    }
    lines.add(
        format(
            "         %,d batches (%.3f ms each), %,d of them through the socket, %,d refusals",
            batches,
            millis,
            lane.path("inlineBatches").asLong(),
            lane.path("refusals").valueStream().mapToLong(JsonNode::asLong).sum()));
    List<String> refused = counts(lane.path("refusals"), "");
    if (!refused.isEmpty()) {
      lines.add("         refused: " + String.join(", ", refused));
    }
  }

  /** What happened at all, by name, but for {@code leftOut}. */
  private static List<String> counts(JsonNode byName, String leftOut) {
    return byName.properties().stream()
        .filter(one -> !one.getKey().equals(leftOut) && one.getValue().asLong() > 0)
        .sorted(Map.Entry.comparingByKey())
        .map(one -> format("%,d %s", one.getValue().asLong(), one.getKey().replace('_', ' ')))
        .toList();
  }

  private static void fills(JsonNode fills, List<String> lines) {
    JsonNode results = fills.path("results");
    lines.add(
        format(
            "fills    %,d written (%s), %s of %s on their way, %,d leases",
            results.path("written").asLong(),
            bytes(fills.path("writtenBytes")),
            bytes(fills.path("inFlightBytes")),
            bytes(fills.path("maxInFlightBytes")),
            fills.path("leases").asLong()));
    List<String> others = counts(results, "written");
    if (!others.isEmpty()) {
      lines.add("         " + String.join(", ", others));
    }
  }

  private static void datasets(JsonNode datasets, List<String> lines) {
    lines.add("");
    if (datasets.isEmpty()) {
      lines.add("no data set has been opened");
      return;
    }
    lines.add(
        format(
            "%-30s %10s %14s %14s %14s %8s %12s %8s",
            "data set",
            "generation",
            "local hits",
            "peer hits",
            "misses",
            "hit rate",
            "read",
            "damaged"));
    for (JsonNode dataset : datasets) {
      JsonNode local = dataset.path("local");
      JsonNode peer = dataset.path("peer");
      long hits = local.path("hits").asLong() + peer.path("hits").asLong();
      long misses = local.path("misses").asLong() + peer.path("misses").asLong();
      lines.add(
          format(
              "%-30s %10d %,14d %,14d %,14d %8s %12s %,8d",
              scopedName(dataset),
              dataset.path("generation").asLong(),
              local.path("hits").asLong(),
              peer.path("hits").asLong(),
              misses,
              percent(hits, hits + misses),
              bytes(local.path("hitBytes").asLong() + peer.path("hitBytes").asLong()),
              dataset.path("damaged").asLong()));
    }
  }

  /** Behind its tenant where that is not the default one: several may have one of that name. */
  private static String scopedName(JsonNode dataset) {
    String tenant = dataset.path("tenant").asText();
    String name = dataset.path("name").asText();
    return tenant.isEmpty() || tenant.equals("default") ? name : tenant + "/" + name;
  }

  private static void shares(JsonNode datasets, List<String> lines) {
    if (datasets.isEmpty()) {
      return;
    }
    lines.add("");
    lines.add(
        format(
            "%-30s %-8s %11s %12s %12s %9s %8s %12s %12s",
            "data set",
            "policy",
            "entries",
            "held",
            "budget",
            "hits now",
            "at best",
            "refused",
            "evicted"));
    for (JsonNode dataset : datasets) {
      JsonNode refusals = dataset.path("refusals");
      lines.add(
          format(
              "%-30s %-8s %,11d %12s %12s %9s %8s %,12d %,12d",
              scopedName(dataset),
              dataset.path("policy").asText(),
              dataset.path("entries").asLong(),
              bytes(dataset.path("bytes")),
              bytes(dataset.path("budgetBytes")),
              percent(dataset.path("hitRate")),
              percent(dataset.path("bestHitRate")),
              refusals.valueStream().mapToLong(JsonNode::asLong).sum(),
              dataset.path("evictions").asLong()));
      List<String> refused = counts(refusals, "");
      if (!refused.isEmpty()) {
        lines.add("         refused: " + String.join(", ", refused));
      }
      dataset.path("warnings").forEach(text -> lines.add("         warning: " + text.asText()));
    }
  }

  private static String percent(JsonNode share) {
    return share.isNumber() ? format("%.1f %%", PERCENT * share.asDouble()) : "–";
  }

  private static String percent(long part, long whole) {
    return whole == 0 ? "–" : format("%.1f %%", PERCENT * part / whole);
  }

  static String bytes(JsonNode value) {
    return bytes(value.asLong());
  }

  private static String bytes(long value) {
    double rest = value;
    int unit = 0;
    while (rest >= 1024 && unit < UNITS.length - 1) {
      rest /= 1024;
      unit++;
    }
    return format(unit == 0 ? "%.0f %s" : "%.1f %s", rest, UNITS[unit]);
  }

  private static String duration(long millis) {
    Duration up = Duration.ofMillis(millis);
    if (up.toHours() > 0) {
      return format("%d h %d min", up.toHours(), up.toMinutesPart());
    }
    return up.toMinutes() > 0
        ? format("%d min %d s", up.toMinutes(), up.toSecondsPart())
        : format("%d s", up.toSeconds());
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
