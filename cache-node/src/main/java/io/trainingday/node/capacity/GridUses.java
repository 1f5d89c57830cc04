package io.trainingday.node.capacity;

import io.trainingday.node.capacity.Capacity.Use;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.ignite.Ignite;
import org.apache.ignite.lang.IgniteCallable;
import org.apache.ignite.resources.IgniteInstanceResource;
import org.jspecify.annotations.Nullable;

/** Asks all nodes of the grid what they hold. */
final class GridUses {
  private static final String KEY = "training-day.uses";
  private static final long TIMEOUT_MILLIS = 5_000;
  private static final int ID_NUMBERS = 2;
  private static final int USE_NUMBERS = 4;

  private GridUses() {}

  /** Lets this node answer. */
  static void offer(Ignite ignite, Supplier<List<Use>> uses) {
    ignite.cluster().nodeLocalMap().put(KEY, uses);
  }

  /** What every node says, by node id. */
  static Map<UUID, List<Use>> ask(Ignite ignite) {
    Map<UUID, List<Use>> all = new HashMap<>();
    for (long[] answer :
        ignite
            .compute(ignite.cluster().forServers())
            .withTimeout(TIMEOUT_MILLIS)
            .broadcast(new Question())) {
      List<Use> uses = new ArrayList<>();
      for (int i = ID_NUMBERS; i < answer.length; i += USE_NUMBERS) {
        uses.add(new Use(answer[i], answer[i + 1], answer[i + 2], answer[i + 3]));
      }
      all.put(new UUID(answer[0], answer[1]), uses);
    }
    return all;
  }

  /** Runs on every node. Answers in numbers, which need no classes on the way. */
  private static final class Question implements IgniteCallable<long[]> {
    private static final long serialVersionUID = 1L;

    @IgniteInstanceResource private transient @Nullable Ignite ignite;

    @Override
    public long[] call() {
      Ignite here = ignite;
      if (here == null) {
        throw new IllegalStateException("not run by a grid");
      }
      Supplier<List<Use>> offered =
          here.cluster().<String, Supplier<List<Use>>>nodeLocalMap().get(KEY);
      // A node that has just begun to start holds nothing.
      List<Use> uses = offered == null ? List.of() : offered.get();
      long[] answer = new long[ID_NUMBERS + USE_NUMBERS * uses.size()];
      UUID id = here.cluster().localNode().id();
      answer[0] = id.getMostSignificantBits();
      answer[1] = id.getLeastSignificantBits();
      int at = ID_NUMBERS;
      for (Use use : uses) {
        answer[at++] = use.dataset();
        answer[at++] = use.pipeline();
        answer[at++] = use.records();
        answer[at++] = use.bytes();
      }
      return answer;
    }
  }
}
