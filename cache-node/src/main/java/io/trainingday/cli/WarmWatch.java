package io.trainingday.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.config.Durations;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * How much of one data set is in the cache, look by look, and whether to go on looking. Of several
 * pipelines the one with the most samples counts. Not thread-safe.
 */
final class WarmWatch {
  /** What Python appends to the pipeline of samples that do not fit the others' fields. */
  private static final String PACKED = "\npacked";

  private static final double ALL = 100;

  private final String name;
  private final double until;
  private final @Nullable Duration timeout;
  private final Duration stalled;
  private final long startNanos;

  private boolean seen;
  private boolean reached;
  private long samples;
  private long warm;
  private long copies = 1;
  private long grownNanos;
  private long nowNanos;
  private String failure = "";

  /**
   * @param until percent of the samples
   */
  WarmWatch(
      String name, double until, @Nullable Duration timeout, Duration stalled, long startNanos) {
    this.name = name;
    this.until = until;
    this.timeout = timeout;
    this.stalled = stalled;
    this.startNanos = startNanos;
    grownNanos = startNanos;
    nowNanos = startNanos;
  }

  /** Takes what the grid says; returns whether it is over. */
  boolean look(JsonNode datasets, long now) {
    nowNanos = now;
    JsonNode dataset =
        StreamSupport.stream(datasets.spliterator(), false)
            .filter(one -> one.path("name").asText().equals(name))
            .findFirst()
            .orElse(null);
    if (dataset == null) {
      failure = unknown(datasets);
      return true;
    }
    long before = seen ? warm : 0;
    seen = true;
    samples = dataset.path("samples").asLong();
    copies = Math.max(1, dataset.path("copies").asLong());
    warm = Math.min(samples, fullest(dataset.path("pipelines")) / copies);
    if (warm > before) {
      grownNanos = now;
    }
    reached = warm >= until / ALL * samples;
    return reached || isOver(now);
  }

  /** Records of the pipeline that has the most, copies counted. */
  private static long fullest(JsonNode pipelines) {
    Map<String, Long> entries = new HashMap<>();
    for (JsonNode pipeline : pipelines) {
      String fingerprint = pipeline.path("fingerprint").asText();
      String whole =
          fingerprint.endsWith(PACKED)
              ? fingerprint.substring(0, fingerprint.length() - PACKED.length())
              : fingerprint;
      entries.merge(whole, pipeline.path("entries").asLong(), Long::sum);
    }
    return entries.values().stream().mapToLong(Long::longValue).max().orElse(0);
  }

  /** Whether the time is over, or nothing comes any more. */
  boolean isOver(long now) {
    nowNanos = now;
    if (timeout != null && now - startNanos >= timeout.toNanos()) {
      failure = "%s, after %s".formatted(text(), Durations.format(timeout));
      return true;
    }
    if (now - grownNanos >= stalled.toNanos()) {
      failure =
          "%s, and nothing has come for %s: is a trainer warming it, and is there room?"
              .formatted(text(), Durations.format(stalled));
      return true;
    }
    return false;
  }

  private String unknown(JsonNode datasets) {
    String known =
        StreamSupport.stream(datasets.spliterator(), false)
            .map(one -> one.path("name").asText())
            .collect(Collectors.joining(", "));
    return "data set '%s' is unknown, it is there once a trainer has opened it; there %s"
        .formatted(name, known.isEmpty() ? "is none" : "are: " + known);
  }

  boolean hasSeen() {
    return seen;
  }

  boolean isReached() {
    return reached;
  }

  /** Why it is over without having been reached, one sentence. */
  String failure() {
    return failure;
  }

  /** 0–100. */
  double percent() {
    return samples == 0 ? (seen ? ALL : 0) : ALL * warm / samples;
  }

  /** How much is there. */
  String text() {
    return String.format(
        Locale.ROOT,
        "data set '%s': %.1f%% of %,d samples are in the cache",
        name,
        Math.floor(percent() * 10) / 10,
        samples);
  }

  /** All of it, for JSON. */
  Map<String, Object> report() {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("name", name);
    report.put("samples", samples);
    report.put("warm", warm);
    report.put("copies", copies);
    report.put("percent", percent());
    report.put("until", until);
    report.put("reached", reached);
    report.put("seconds", (nowNanos - startNanos) / 1e9);
    report.put("reason", failure);
    return report;
  }
}
