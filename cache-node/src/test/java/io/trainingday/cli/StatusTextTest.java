package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.reload.ReloadStats;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class StatusTextTest {
  @Test
  void datasets_ofSeveralTenants_areToldApart() throws Exception {
    String text =
        StatusText.of(
            new JsonMapper()
                .readTree(
                    """
                    {"datasets": [{"tenant": "default", "name": "pets"},
                                  {"tenant": "team-a", "name": "pets"}]}
                    """));

    assertThat(text.lines().filter(line -> line.startsWith("pets "))).hasSize(2);
    assertThat(text.lines().filter(line -> line.startsWith("team-a/pets "))).hasSize(2);
  }

  @Test
  void status_isATableOfTheNodesFigures() throws Exception {
    NodeStats stats =
        new NodeStats(
            "1.2.3",
            "host-a",
            3_720_000,
            "",
            ReloadStats.none(),
            Map.of(),
            new NodeStats.Grid(77, List.of("a", "b"), 1_024, 512, 3, 0, 0, 0, 0, 0, Map.of()),
            new NodeStats.Memory(1 << 30, 2L << 30, 64 << 20, 0, ""),
            new NodeStats.Disk(
                3L << 30,
                4L << 30,
                20_000,
                2L << 30,
                1_234,
                1 << 30,
                Map.of("budget", 3L, "disk_full", 4L, "record_too_large", 0L),
                2,
                0,
                0,
                0,
                Map.of()),
            new NodeStats.Lane(
                3,
                1_024,
                38_535_168,
                1 << 30,
                2_000,
                1_600_000_000L,
                2,
                Map.of("token", 3L, "too_many", 4L, "tls", 0L),
                List.of(
                    new NodeStats.Tenant("default", 2, 1 << 20),
                    new NodeStats.Tenant("team-a", 1, 0))),
            new NodeStats.Peers(0, 0, 0, 0, 0, 0, 0, 0),
            new NodeStats.Fills(
                Map.of("written", 1_437L, "already_stored", 4L, "busy", 0L),
                5_885_952,
                0,
                256 << 20,
                6,
                Map.of()),
            List.of(
                new NodeStats.Dataset(
                    "default",
                    "digits",
                    "host-a",
                    "memory",
                    "lru",
                    2,
                    new NodeStats.Source(10_000, 40_960_000, 1_000),
                    new NodeStats.Source(2_933, 12_013_568, 437),
                    1_437,
                    0,
                    1,
                    0,
                    700,
                    2_867_200,
                    5_734_400,
                    0.15,
                    0.5,
                    0.002,
                    null,
                    Map.of("budget", 3L, "quota", 0L),
                    12,
                    List.of("too small"),
                    NodeStats.Source.NONE,
                    NodeStats.Trainers.NONE)));

    assertThat(text(stats).lines())
        .containsExactly(
            "cache node 1.2.3 on host-a, up 1 h 2 min, ready",
            "grid     2 nodes, 512 of 1,024 partitions written here, topology version 77",
            "         3 partitions are on their way here",
            "memory   1.0 GiB of 2.0 GiB used (50.0 %), 64.0 MiB of it kept free",
            "disk     3.0 GiB of 4.0 GiB used (75.0 %), 20,000 records, 1,234 read, 2 damaged",
            "         refused: 3 budget, 4 disk full",
            "lane     3 of 1,024 connections, 36.8 MiB of 1.0 GiB shared memory",
            "         of tenant default: 2 connections, 1.0 MiB shared memory",
            "         of tenant team-a: 1 connections, 0 B shared memory",
            "         2,000 batches (0.800 ms each), 2 of them through the socket, 7 refusals",
            "         refused: 3 token, 4 too many",
            "fills    1,437 written (5.6 MiB), 0 B of 256.0 MiB on their way, 6 leases",
            "         4 already stored",
            "",
            "data set                       generation     local hits      peer hits         misses"
                + " hit rate         read  damaged",
            "digits                                  2         10,000          2,933          1,437"
                + "   90.0 %     50.5 MiB        1",
            "",
            "data set                       policy       entries         held       budget  hits now"
                + "  at best      refused      evicted",
            "digits                         lru              700      2.7 MiB      5.5 MiB    15.0 %"
                + "   50.0 %            3           12",
            "         refused: 3 budget",
            "         warning: too small");
  }

  @Test
  void status_ofAnEmptyNodeThatStops_saysSo() throws Exception {
    NodeStats stats =
        new NodeStats(
            "1.2.3",
            "host-a",
            61_000,
            "the node is stopping",
            new ReloadStats(
                new ReloadStats.Source(1, 1, "a.yaml: 1 problem\n  x=1, allowed: y", 61_000),
                new ReloadStats.Source(0, 0, "", 0),
                new ReloadStats.Source(0, 1, "lane.tls.key is wrong", 5_000),
                new ReloadStats.Source(0, 0, "", 0),
                List.of("memory.maxSize", "grid.port"),
                List.of("datasets.pets.backups=1 <> backups=0")),
            Map.of(),
            new NodeStats.Grid(1, List.of("a"), 64, 64, 0, 0, 0, 0, 0, 0, Map.of()),
            new NodeStats.Memory(0, 0, 0, 0, "out of memory"),
            NodeStats.Disk.NONE,
            new NodeStats.Lane(0, 0, 0, 0, 0, 0, 0, Map.of(), List.of()),
            new NodeStats.Peers(0, 0, 0, 0, 0, 0, 0, 0),
            new NodeStats.Fills(Map.of(), 0, 0, 0, 0, Map.of()),
            List.of());

    assertThat(text(stats).lines())
        .startsWith("cache node 1.2.3 on host-a, up 1 min 1 s, not ready: the node is stopping")
        .containsSubsequence(
            "settings restart needed for: memory.maxSize, grid.port",
            "         not in force: datasets.pets.backups=1 <> backups=0",
            "         the settings file is refused for 1 min 1 s, what it said before holds on:",
            "           a.yaml: 1 problem",
            "             x=1, allowed: y",
            "         the certificates of lane.tls are refused for 5 s, what they said before holds on:",
            "           lane.tls.key is wrong",
            "grid     1 nodes, 64 of 64 partitions written here, topology version 1",
            "         takes no more samples: out of memory")
        .endsWith("no data set has been opened");
  }

  @Test
  void status_ofAnotherVersion_isShownAsFarAsItGoes() throws Exception {
    assertThat(StatusText.of(new JsonMapper().readTree("{\"version\":\"9\"}")))
        .startsWith("cache node 9 on ");
  }

  private static String text(NodeStats stats) throws Exception {
    return StatusText.of(new JsonMapper().readTree(stats.toJson()));
  }
}
