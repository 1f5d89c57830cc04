package io.trainingday.sampling;

import io.trainingday.sampling.EpochPlan.Order;
import io.trainingday.sampling.EpochPlan.Strategy;
import io.trainingday.sampling.EpochPlan.Tail;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** The text of {@code contract/golden/plan.json}, which Java and Python both have to meet. */
final class PlanVectors {
  private static final long[] LENGTHS = {
    1, 2, 3, 4, 5, 10, 64, 65, 1_000, 16_384, 16_385, 1_000_000, 1_281_167, 1L << 32, 1L << 48
  };
  private static final long[][] SEEDS = {
    {0, 0}, {0, 1}, {42, 7}, {-1, Integer.MAX_VALUE}, {Long.MIN_VALUE, 3}
  };
  private static final String NAME = "imagenet-training";

  private PlanVectors() {}

  static String json() {
    return """
        {
          "mix": [
        %s
          ],
          "keyed": [
        %s
          ],
          "datasets": [
            {"name": "%s", "number": %s}
          ],
          "snapshots": [
        %s
          ],
          "plans": [
        %s
          ]
        }
        """
        .formatted(
            lines(
                LongStream.of(0, 1, 42, -1, 1L << 48)
                    .mapToObj(
                        z ->
                            "    {\"value\": %s, \"mix\": %s}"
                                .formatted(unsigned(z), unsigned(Mix.mix(z))))
                    .toList()),
            lines(keyed()),
            NAME,
            unsigned(PlanState.datasetOf(NAME)),
            lines(
                List.of(
                    snapshot("four", four()),
                    snapshot("copies", copies()),
                    snapshot("uneven", lopsided()))),
            lines(plans()));
  }

  private static List<String> keyed() {
    List<String> all = new ArrayList<>();
    for (long length : LENGTHS) {
      for (long[] seed : SEEDS) {
        KeyedBijection order = new KeyedBijection(length, Mix.base(seed[0], seed[1]));
        long[] positions =
            LongStream.concat(
                    LongStream.range(0, Math.min(length, 6)),
                    LongStream.of(length / 3, length / 2, length - 1))
                .distinct()
                .toArray();
        all.add(
            "    {\"samples\": %d, \"seed\": %d, \"epoch\": %d, \"positions\": %s, \"indices\": %s}"
                .formatted(
                    length,
                    seed[0],
                    seed[1],
                    Arrays.toString(positions),
                    Arrays.toString(LongStream.of(positions).map(order::apply).toArray())));
      }
    }
    return all;
  }

  /** Four hosts of equal share. */
  static OwnershipSnapshot four() {
    return OwnershipSnapshot.of(
        12, IntStream.range(0, 32).mapToObj(p -> List.of("host-" + p * 7 % 4)).toList());
  }

  /** Five hosts, one with a name beyond ASCII, and two copies; some partitions have only one. */
  static OwnershipSnapshot copies() {
    List<String> hosts = List.of("b", "a", "žižkov", "c", "d");
    return OwnershipSnapshot.of(
        1L << 40,
        IntStream.range(0, 64)
            .mapToObj(
                p ->
                    p % 9 == 0
                        ? List.of(hosts.get(p % 5))
                        : List.of(hosts.get(p % 5), hosts.get((p + 1 + p % 3) % 5)))
            .toList());
  }

  /** Three hosts, of a half, a third and the rest. */
  static OwnershipSnapshot lopsided() {
    return OwnershipSnapshot.of(
        3,
        IntStream.range(0, 32)
            .mapToObj(p -> List.of(p < 16 ? "large" : p < 27 ? "middle" : "small"))
            .toList());
  }

  private static String snapshot(String name, OwnershipSnapshot snapshot) {
    String copies =
        IntStream.range(0, snapshot.partitions())
            .mapToObj(p -> texts(snapshot.copies(p)))
            .collect(Collectors.joining(", ", "[", "]"));
    return """
            {"name": "%s", "topologyVersion": %d, "digest": %s,
             "copies": %s,
             "bytes": %s}\
        """
        .formatted(
            name,
            snapshot.topologyVersion(),
            unsigned(snapshot.digest()),
            copies,
            hex(snapshot.toBytes()));
  }

  private static List<String> plans() {
    List<String> all = new ArrayList<>();
    List<String> eight =
        IntStream.range(0, 8).mapToObj(rank -> "host-" + rank % 4).toList(); // Two on each.
    List<String> odd = List.of("a", "d", "a", "", "elsewhere", "", "žižkov");
    List<String> three = List.of("small", "large", "middle");
    for (Tail tail : Tail.values()) {
      all.add(new Input(100, 5, 8, tail).on("four", four(), eight).batch(2).json());
      all.add(
          new Input(97, -9, 7, tail).on("copies", copies(), odd).globalBatch(17).epoch(2).json());
      all.add(
          new Input(50, 1, 3, tail)
              .on("uneven", lopsided(), three)
              .batch(4)
              .order(Order.SEQUENCE)
              .json());
      all.add(new Input(53, 77, 5, tail).batch(3).strategy(Strategy.PLAIN).json());
      all.add(
          new Input(97, 3, 7, tail)
              .on("copies", copies(), odd)
              .batch(2)
              .strategy(Strategy.PLAIN)
              .json());
      all.add(
          new Input(333, 8, 3, tail)
              .on("uneven", lopsided(), three)
              .batch(16)
              .strategy(Strategy.SLICE)
              .json());
      all.add(
          new Input(100, 4, 8, tail)
              .on("four", four(), eight)
              .batch(3)
              .strategy(Strategy.SLICE)
              .json());
      all.add(
          new Input(100, 4, 2, tail)
              .on("four", four(), List.of("host-3", "host-1"))
              .batch(16)
              .strategy(Strategy.SLICE)
              .order(Order.SEQUENCE)
              .json());
      all.add(
          new Input(100, 5, 3, tail)
              .on("four", four(), eight.subList(0, 3))
              .batch(7)
              .resume(new PlanState(Order.KEYED, false, 5, 6, 100, 37, 0, 0))
              .json());
    }
    long many = 1_000_000_000_000L;
    all.add(
        new Input(many, 123, 4, Tail.DROP)
            .on("four", four(), eight.subList(2, 6))
            .batch(8)
            .dataset(NAME)
            .resume(
                new PlanState(
                    Order.KEYED, false, 123, 9, many, many - 100, PlanState.datasetOf(NAME), 0))
            .json());
    return all;
  }

  /** What a plan is made of, as it stands in the file. */
  private static final class Input {
    private final EpochPlan.Builder builder;
    private final StringBuilder text = new StringBuilder();
    private long start;

    Input(long samples, long seed, int world, Tail tail) {
      builder = EpochPlan.builder(samples, seed, world).tail(tail);
      text.append(
          "{\"samples\": %d, \"seed\": %d, \"worldSize\": %d, \"tail\": %s"
              .formatted(samples, seed, world, word(tail)));
    }

    Input on(String name, OwnershipSnapshot snapshot, List<String> hosts) {
      builder.ownership(snapshot, hosts);
      add("snapshot", "\"" + name + "\"");
      return add("rankHosts", texts(hosts));
    }

    Input batch(int value) {
      builder.batch(value);
      return add("batch", value);
    }

    Input globalBatch(int value) {
      builder.globalBatch(value);
      return add("globalBatch", value);
    }

    Input epoch(long value) {
      builder.epoch(value);
      return add("epoch", value);
    }

    Input order(Order value) {
      builder.order(value);
      return add("order", word(value));
    }

    Input strategy(Strategy value) {
      builder.strategy(value);
      return add("strategy", word(value));
    }

    Input dataset(String name) {
      builder.dataset(name);
      return add("dataset", "\"" + name + "\"");
    }

    Input resume(PlanState state) {
      builder.resume(state);
      start = state.consumed();
      return add("resume", hex(state.toBytes()));
    }

    private Input add(String name, Object value) {
      text.append(", \"").append(name).append("\": ").append(value);
      return this;
    }

    String json() {
      EpochPlan plan = builder.build();
      List<String> steps = new ArrayList<>();
      for (long step = 0; step < plan.steps(); step++) {
        if (step < 2 || step >= plan.steps() - 1) {
          steps.add(step(plan, step));
        }
      }
      long half = plan.steps() / 2;
      VisitSum visits = plan.visits(plan.steps());
      return """
          {"input": %s},
           "start": %d, "steps": %d, "globalBatch": %d, "predictedLocalShare": %s,
           "visits": {"count": %d, "checksum": %d},
           "states": [
             {"step": %d, "bytes": %s},
             {"step": %d, "bytes": %s}],
           "batches": [
      %s]}\
      """
          .formatted(
              text,
              start,
              plan.steps(),
              plan.globalBatch(),
              Double.isNaN(plan.predictedLocalShare()) ? "null" : plan.predictedLocalShare(),
              visits.count(),
              visits.checksum(),
              half,
              hex(plan.state(half).toBytes()),
              plan.steps(),
              hex(plan.state(plan.steps()).toBytes()),
              lines(steps));
    }
  }

  private static String step(EpochPlan plan, long step) {
    List<String> indices = new ArrayList<>();
    List<String> weights = new ArrayList<>();
    List<String> standIns = new ArrayList<>();
    for (int rank = 0; rank < plan.worldSize(); rank++) {
      indices.add(Arrays.toString(plan.indices(step, rank)));
      weights.add(Double.toString(plan.weight(step, rank)));
      standIns.add(Long.toString(plan.standIn(step, rank)));
    }
    return "       {\"step\": %d, \"indices\": %s, \"weights\": %s, \"standIns\": %s}"
        .formatted(step, indices, weights, standIns);
  }

  private static String lines(List<String> texts) {
    return String.join(",\n", texts);
  }

  static String texts(List<String> texts) {
    return texts.stream()
        .map(text -> "\"" + text + "\"")
        .collect(Collectors.joining(", ", "[", "]"));
  }

  private static String hex(byte[] bytes) {
    return "\"" + HexFormat.of().formatHex(bytes) + "\"";
  }

  private static String unsigned(long value) {
    return Long.toUnsignedString(value);
  }

  static String word(Enum<?> value) {
    return "\"" + value.name().toLowerCase(Locale.ROOT) + "\"";
  }
}
