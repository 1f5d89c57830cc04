package io.trainingday.node.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.prometheus.client.Collector.MetricFamilySamples;
import io.trainingday.node.latency.Latency;
import io.trainingday.node.metrics.NodeStats.Dataset;
import io.trainingday.node.reload.ReloadStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class BoundedNamesTest {
  private final BoundedNames names = new BoundedNames(2);

  @Test
  void fewDatasets_keepTheirNames() {
    List<Dataset> all = List.of(dataset("default", "a", 1), dataset("team", "b", 2));

    assertThat(names.bounded(all)).isEqualTo(all);
  }

  @Test
  void tooMany_theLargestAreNamed_theRestIsAddedUp() {
    List<Dataset> bounded =
        names.bounded(
            List.of(
                dataset("default", "a", 1),
                dataset("default", "b", 40),
                dataset("team", "c", 30),
                dataset("default", "d", 2)));

    assertThat(bounded).extracting(Dataset::scopedName).containsExactly("b", "team/c", "other");
    Dataset others = bounded.get(2);
    assertThat(others.bytes()).isEqualTo(3);
    assertThat(others.local()).isEqualTo(new NodeStats.Source(3, 30, 6));
    assertThat(others.disk().hits()).isEqualTo(3);
    assertThat(others.refusals()).containsExactly(Map.entry("budget", 3L));
    assertThat(others.trainers().savedLoadSeconds()).isEqualTo(3);
    assertThat(others.trainers().loads()).isEqualTo(3);
  }

  /** Else the counter of the others would fall when one of them outgrows the rest. */
  @Test
  void name_isKept_whateverGrows() {
    var unused = names.bounded(List.of(dataset("default", "a", 1), dataset("default", "b", 2)));

    assertThat(
            names.bounded(
                List.of(
                    dataset("default", "a", 1),
                    dataset("default", "b", 2),
                    dataset("default", "c", 900))))
        .extracting(Dataset::scopedName)
        .containsExactly("a", "b", "other");
  }

  @Test
  void datasetThatIsCalledOther_isAmongTheOthers() {
    assertThat(names.bounded(List.of(dataset("default", "other", 7), dataset("default", "a", 1))))
        .extracting(Dataset::scopedName, Dataset::bytes)
        .containsExactly(tuple("a", 1L), tuple("other", 7L));
  }

  @Test
  void tenants_areBoundedToo() {
    assertThat(
            names.tenants(
                List.of(dataset("x", "a", 1), dataset("y", "b", 2), dataset("z", "c", 3)),
                List.of("v", "z")))
        .containsOnly(
            Map.entry("x", "other"),
            Map.entry("y", "y"),
            Map.entry("z", "z"),
            Map.entry("v", "other"));
  }

  @Test
  void collector_ofManyDatasets_hasABoundedNumberOfSeries() {
    List<Dataset> all = new ArrayList<>();
    IntStream.range(0, 50).forEach(i -> all.add(dataset("tenant" + i, "set" + i, i + 1)));
    int few = series(all.subList(0, 10));

    assertThat(series(all)).isEqualTo(few);
  }

  private static int series(List<Dataset> datasets) {
    return new NodeCollector(new Node(datasets), 5)
        .collect().stream()
            .filter(
                family ->
                    family.samples.stream()
                        .anyMatch(
                            sample ->
                                sample.labelNames.contains("dataset")
                                    || sample.labelNames.contains("tenant")))
            .mapToInt((MetricFamilySamples family) -> family.samples.size())
            .sum();
  }

  private static Dataset dataset(String tenant, String name, long size) {
    return new Dataset(
        tenant,
        name,
        "host",
        "memory",
        "pin",
        5,
        new NodeStats.Source(size, 10 * size, 2 * size),
        NodeStats.Source.NONE,
        size,
        size,
        size,
        size,
        size,
        size,
        size,
        0.5,
        0.5,
        null,
        null,
        Map.of("budget", size),
        size,
        List.of(),
        new NodeStats.Source(size, size, 0),
        new NodeStats.Trainers(size, size, size, size, size, size, size));
  }

  private record Node(List<Dataset> datasets) implements ObservedNode {
    @Override
    public NodeStats stats() {
      return new NodeStats(
          "1",
          "host",
          1,
          "",
          ReloadStats.none(),
          Map.of(),
          new NodeStats.Grid(1, List.of("a"), 1, 1, 0, 0, 0, 0, 0, 0, Map.of()),
          new NodeStats.Memory(0, 0, 0, 0, ""),
          NodeStats.Disk.NONE,
          new NodeStats.Lane(0, 0, 0, 0, 0, 0, 0, Map.of(), List.of()),
          new NodeStats.Peers(0, 0, 0, 0, 0, 0, 0, 0),
          new NodeStats.Fills(Map.of(), 0, 0, 0, 0, Map.of()),
          datasets);
    }

    @Override
    public NodeLatencies latencies() {
      Latency.Snapshot none = new Latency().snapshot();
      return new NodeLatencies(Map.of(), none, none, none);
    }

    @Override
    public Optional<String> notLive() {
      return Optional.empty();
    }

    @Override
    public Optional<String> notReady() {
      return Optional.empty();
    }
  }
}
