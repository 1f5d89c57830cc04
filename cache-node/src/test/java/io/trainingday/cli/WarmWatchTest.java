package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class WarmWatchTest {
  private static final long SECOND = 1_000_000_000L;

  @Test
  void samples_areCountedOnce_whateverCopiesAndPipelinesThereAre() throws Exception {
    WarmWatch watch = watch(95, null);

    assertThat(watch.look(pets(2, 1_800, 60), 0)).isFalse();
    assertThat(watch.percent()).isEqualTo(90);
    assertThat(watch.text()).isEqualTo("data set 'pets': 90.0% of 1,000 samples are in the cache");
    assertThat(watch.look(pets(2, 1_899, 60), SECOND)).isFalse();
    assertThat(watch.look(pets(2, 1_900, 60), 2 * SECOND)).isTrue();
    assertThat(watch.isReached()).isTrue();
    assertThat(watch.report())
        .containsEntry("warm", 950L)
        .containsEntry("reached", true)
        .containsEntry("seconds", 2.0);
  }

  @Test
  void packedSamples_countWithThoseTheyAreOf() throws Exception {
    WarmWatch watch = watch(100, null);
    String pipelines =
        """
        [{"fingerprint": "p", "entries": 600}, {"fingerprint": "p\\npacked", "entries": 400},
         {"fingerprint": "q", "entries": 999}]""";

    assertThat(watch.look(dataset(1, pipelines), 0)).isTrue();
    assertThat(watch.isReached()).isTrue();
  }

  @Test
  void growth_thatEnds_isSaid() throws Exception {
    WarmWatch watch = watch(95, null);

    assertThat(watch.look(pets(1, 0, 0), 9 * SECOND)).isFalse();
    assertThat(watch.look(pets(1, 500, 0), 9 * SECOND)).isFalse();
    assertThat(watch.look(pets(1, 500, 0), 18 * SECOND)).isFalse();
    assertThat(watch.look(pets(1, 500, 0), 19 * SECOND)).isTrue();
    assertThat(watch.isReached()).isFalse();
    assertThat(watch.failure())
        .isEqualTo(
            "data set 'pets': 50.0% of 1,000 samples are in the cache, and nothing has come for"
                + " 10s: is a trainer warming it, and is there room?");
  }

  @Test
  void timeout_isSaid_evenWhileNoNodeAnswers() throws Exception {
    WarmWatch watch = watch(95, Duration.ofSeconds(5));

    assertThat(watch.look(pets(1, 949, 0), 4 * SECOND)).isFalse();
    assertThat(watch.isOver(5 * SECOND)).isTrue();
    assertThat(watch.failure())
        .isEqualTo("data set 'pets': 94.9% of 1,000 samples are in the cache, after 5s");
  }

  @Test
  void unknownDataset_isSaidWithThoseThereAre() throws Exception {
    WarmWatch watch = new WarmWatch("cats", 95, null, Duration.ofSeconds(10), 0);

    assertThat(watch.look(pets(1, 1, 0), 0)).isTrue();
    assertThat(watch.failure())
        .isEqualTo(
            "data set 'cats' is unknown, it is there once a trainer has opened it; there are: pets");
    assertThat(watch.isReached()).isFalse();
  }

  @Test
  void line_onATerminalChanges_elsewhereComesForEachTwentieth() throws Exception {
    StringWriter terminal = new StringWriter();
    StringWriter file = new StringWriter();
    WarmLine changing = new WarmLine(new PrintWriter(terminal), true);
    WarmLine plain = new WarmLine(new PrintWriter(file), false);
    WarmWatch watch = watch(95, null);
    for (int entries : new int[] {0, 10, 49, 50, 60, 120}) {
      watch.look(pets(1, entries, 0), 0);
      changing.show(watch);
      plain.show(watch);
    }
    changing.end();
    plain.end();

    assertThat(terminal.toString())
        .contains("\r[##                  ] data set 'pets': 12.0% of 1,000 samples")
        .endsWith(System.lineSeparator());
    assertThat(file.toString().lines())
        .containsExactly(
            "data set 'pets': 0.0% of 1,000 samples are in the cache",
            "data set 'pets': 5.0% of 1,000 samples are in the cache",
            "data set 'pets': 12.0% of 1,000 samples are in the cache");
  }

  private static WarmWatch watch(double until, @Nullable Duration timeout) {
    return new WarmWatch("pets", until, timeout, Duration.ofSeconds(10), 0);
  }

  private static JsonNode pets(int copies, long entries, long otherEntries)
      throws JsonProcessingException {
    return dataset(
        copies,
        "[{\"fingerprint\": \"p\", \"entries\": %d}, {\"fingerprint\": \"q\", \"entries\": %d}]"
            .formatted(entries, otherEntries));
  }

  private static JsonNode dataset(int copies, String pipelines) throws JsonProcessingException {
    return new JsonMapper()
        .readTree(
            "[{\"name\": \"pets\", \"samples\": 1000, \"copies\": %d, \"pipelines\": %s}]"
                .formatted(copies, pipelines));
  }
}
