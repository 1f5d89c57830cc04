package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

/** Admission of records that are stored on several nodes; the messages are carried by the test. */
class CopyAdmissionTest {
  private static final int PAGE_BYTES = 16 << 10;
  private static final long BUDGET_BYTES = 64 << 20;
  private static final int MAX_RECORD_BYTES = 1 << 20;
  private static final int RECORD_BYTES = 100_000;

  /** One node: its admission, and its pages as Ignite would count them. */
  private static final class Node {
    final UUID id;
    long usedPages;
    final Admission admission;

    Node(int number) {
      id = new UUID(0, number);
      admission = new Admission(id, BUDGET_BYTES, 0, MAX_RECORD_BYTES, PAGE_BYTES, () -> usedPages);
    }

    long limitPages() {
      return admission.admissibleBytes() / PAGE_BYTES;
    }
  }

  private final Node a = new Node(1);
  private final Node b = new Node(2);
  private final Node c = new Node(3);
  private final Map<UUID, Node> nodes = Map.of(a.id, a, b.id, b, c.id, c);

  private Node node(UUID id) {
    return Objects.requireNonNull(nodes.get(id));
  }

  private void deliver(Node from, Map<UUID, RoomQuestion> questions) {
    questions.forEach(
        (to, question) ->
            from.admission.answered(to, question, node(to).admission.answer(from.id, question)));
  }

  private void turn(Node from) {
    deliver(from, from.admission.regularQuestions());
  }

  private static List<UUID> copies(Node... nodes) {
    return List.of(nodes).stream().map(node -> node.id).toList();
  }

  /** The write of an admitted record, and its end. */
  private void store(Node primary, int bytes, List<UUID> targets) {
    for (UUID target : targets) {
      node(target).usedPages += bytes / PAGE_BYTES + 1;
    }
    primary.admission.release(bytes, targets);
  }

  @Test
  void tryAdmit_nodeNotAskedYet_isPendingAndUrgentThenAdmitted() {
    List<String> told = new ArrayList<>();
    a.admission.onUrgent(() -> told.add("urgent"));

    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.COPY_PENDING);
    assertThat(told).containsExactly("urgent");
    assertThat(a.admission.bytesInFlight()).isZero();

    deliver(a, a.admission.urgentQuestions());
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isNull();
    assertThat(b.admission.bytesPromised()).isPositive();
    a.admission.release(RECORD_BYTES, copies(a, b));
    assertThat(a.admission.urgentQuestions()).isEmpty();
  }

  @Test
  void tryAdmit_copysNodeFull_refusedForTheCopy() {
    b.usedPages = b.limitPages();
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.COPY_PENDING);
    turn(a);

    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.COPY_BUDGET);
    assertThat(a.admission.refused(Refusal.COPY_BUDGET)).isEqualTo(1);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a))).isNull();
    assertThat(a.admission.urgentQuestions()).as("no haste where there is no room").isEmpty();

    b.usedPages = 0;
    turn(a);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isNull();
  }

  @Test
  void tryAdmit_oneOfTwoCopiesHasNoRoom_takesNothingFromTheOther() {
    c.usedPages = c.limitPages();
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b, c))).isEqualTo(Refusal.COPY_PENDING);
    turn(a);
    long promised = b.admission.bytesPromised();
    for (int i = 0; i < 100; i++) {
      assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b, c)))
          .isEqualTo(Refusal.COPY_BUDGET);
    }
    int admitted = 0;
    while (a.admission.tryAdmit(RECORD_BYTES, copies(a, b)) == null) {
      admitted++;
    }
    assertThat(admitted).isEqualTo((int) (promised / PAGE_BYTES / 8));
  }

  @Test
  void answer_promised_isFreeForNobodyElse() {
    a.admission.tryAdmit(RECORD_BYTES, copies(a, b));
    turn(a);
    long promised = b.admission.bytesPromised();
    b.usedPages = b.limitPages() - promised / PAGE_BYTES;

    assertThat(b.admission.tryAdmit(1, copies(b))).isEqualTo(Refusal.BUDGET);
    assertThat(c.admission.tryAdmit(1, copies(c, b))).isEqualTo(Refusal.COPY_PENDING);
    turn(c);
    assertThat(c.admission.tryAdmit(1, copies(c, b))).isEqualTo(Refusal.COPY_BUDGET);
  }

  @Test
  void turns_withoutWrites_giveThePromiseBack() {
    a.admission.tryAdmit(RECORD_BYTES, copies(a, b));
    turn(a);
    assertThat(b.admission.bytesPromised()).isPositive();
    for (int turns = 0; turns < 10; turns++) {
      turn(a);
    }
    assertThat(b.admission.bytesPromised()).isZero();
    assertThat(a.admission.regularQuestions()).isEmpty();

    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.COPY_PENDING);
    turn(a);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isNull();
  }

  @Test
  void answer_staleOrRepeatedQuestion_neverFreesWhatIsStillPromised() {
    a.admission.tryAdmit(RECORD_BYTES, copies(a, b));
    Map<UUID, RoomQuestion> first = a.admission.regularQuestions();
    deliver(a, first);
    long promised = b.admission.bytesPromised();
    deliver(a, first);
    assertThat(b.admission.bytesPromised()).isEqualTo(promised);

    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isNull();
    store(a, RECORD_BYTES, copies(a, b));
    turn(a);
    long later = b.admission.bytesPromised();
    deliver(a, first);
    assertThat(b.admission.bytesPromised()).isEqualTo(later);
  }

  @Test
  void forget_aNodeThatLeft_freesItsPromise() {
    a.admission.tryAdmit(RECORD_BYTES, copies(a, b));
    turn(a);
    b.admission.forget(List.of(c.id));
    assertThat(b.admission.bytesPromised()).isPositive();
    b.admission.forget(List.of(a.id));
    assertThat(b.admission.bytesPromised()).isZero();
  }

  @Test
  void close_promisesNothingMore() {
    b.admission.close("test");
    a.admission.tryAdmit(RECORD_BYTES, copies(a, b));
    turn(a);
    assertThat(b.admission.bytesPromised()).isZero();
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.COPY_BUDGET);
  }

  @Test
  void grid_reserve_isKeptWhereThereAreCopies() {
    a.admission.grid(0.25, 0, false);
    a.admission.reserveFree(0);
    assertThat(a.admission.reservedBytes()).isZero();
    a.usedPages = a.limitPages() * 8 / 10;
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a))).isNull();
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b))).isEqualTo(Refusal.BUDGET);

    a.admission.grid(0.25, 0, true);
    assertThat(a.admission.reservedBytes()).isCloseTo(BUDGET_BYTES / 4, within1Percent());
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a))).isEqualTo(Refusal.BUDGET);

    b.admission.grid(0.25, 0, false);
    b.admission.reserveFree(0);
    b.usedPages = b.limitPages() * 8 / 10;
    c.admission.tryAdmit(RECORD_BYTES, copies(c, b));
    turn(c);
    assertThat(b.admission.bytesPromised()).as("of the reserve").isZero();
  }

  @Test
  void tryAdmit_oneWithoutCopies_whileItsPartitionMoves_mayUseTheReserve() {
    a.admission.grid(0.25, 0, false);
    a.admission.reserveFree(0);
    a.usedPages = a.limitPages() * 8 / 10;
    Admission.Terms alone = new Admission.Terms(0, false, false, false);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b), alone))
        .isEqualTo(Refusal.COPY_PENDING);
    b.usedPages = 0;
    turn(a);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a, b), alone)).isNull();
    assertThat(a.admission.reservedBytes()).as("for others").isZero();
  }

  @Test
  void grid_reserve_growsByWhatIsFreeAlone() {
    a.usedPages = a.limitPages() * 9 / 10;
    a.admission.grid(0.25, 0, true);
    a.admission.reserveFree(10);
    long tenth = a.limitPages() - a.usedPages;
    assertThat(a.admission.reservedBytes()).isEqualTo((tenth - 10) * PAGE_BYTES);
    assertThat(a.admission.roomPages(true)).isEqualTo(10);

    a.usedPages = a.limitPages() / 2;
    assertThat(a.admission.roomPages(true)).isGreaterThan(10);
    a.admission.reserveFree(0);
    assertThat(a.admission.reservedBytes()).isCloseTo(BUDGET_BYTES / 4, within1Percent());

    // Fewer nodes want more, more nodes less, and that at once.
    a.admission.grid(0.1, 0, true);
    assertThat(a.admission.reservedBytes()).isCloseTo(BUDGET_BYTES / 10, within1Percent());
  }

  @Test
  void capAt_whatIsUsed_leavesThatToTheRecordsHeld() {
    a.admission.grid(0.25, 0, true);
    a.admission.reserveFree(0);
    a.usedPages = a.limitPages() * 6 / 10;
    a.admission.capAt(a.usedPages);
    assertThat(a.admission.roomPages(true)).isZero();
    a.usedPages -= 20;
    assertThat(a.admission.roomPages(true)).isEqualTo(20);
  }

  private static Percentage within1Percent() {
    return Percentage.withPercentage(1);
  }

  @Test
  void arriving_countsAsUsed() {
    a.admission.arriving(a.limitPages() - 3);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a))).isEqualTo(Refusal.BUDGET);
    a.admission.arriving(0);
    assertThat(a.admission.tryAdmit(RECORD_BYTES, copies(a))).isNull();
  }

  @Test
  void admit_pending_waitsForTheAnswer() throws Exception {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      Future<Refusal> waiting =
          thread.submit(
              () -> a.admission.admit(RECORD_BYTES, copies(a, b), TimeUnit.MINUTES.toNanos(1)));
      await()
          .until(
              () -> {
                turn(a);
                return waiting.isDone();
              });
      assertThat(waiting.get()).isNull();
    } finally {
      thread.shutdownNow();
    }
    assertThat(c.admission.admit(RECORD_BYTES, copies(c, b), 1)).isEqualTo(Refusal.COPY_PENDING);
  }

  /**
   * Three owners that fill against each other, with records in flight and messages that are lost,
   * late, repeated and out of order: no node's pages ever pass its limit, and hardly any stay free.
   */
  @Test
  void tryAdmit_manyOwnersAndBadMessages_noNodeIsEverOverfilled() {
    for (int seed = 0; seed < 20; seed++) {
      new Storm(seed).run();
    }
  }

  private static final class Storm {
    private final Random random;
    private final List<Node> nodes = List.of(new Node(1), new Node(2), new Node(3), new Node(4));
    private final Map<UUID, Node> byId = new HashMap<>();
    private final List<Runnable> underWay = new ArrayList<>();
    private final int seed;
    private int refusedInARow;

    Storm(int seed) {
      this.seed = seed;
      random = new Random(seed);
      nodes.forEach(node -> byId.put(node.id, node));
    }

    void run() {
      for (int step = 0; refusedInARow < 5_000; step++) {
        assertThat(step).as("steps of seed %d", seed).isLessThan(1_000_000);
        switch (random.nextInt(4)) {
          case 0, 1 -> write(anyNode(), 1 + random.nextInt(MAX_RECORD_BYTES / 4));
          case 2 -> ask(anyNode());
          default -> {
            if (!underWay.isEmpty()) {
              underWay.remove(random.nextInt(underWay.size())).run();
            }
          }
        }
        assertWithinLimits();
      }
      long used = 0;
      long limit = 0;
      for (Node node : nodes) {
        used += node.usedPages;
        limit += node.limitPages();
      }
      assertThat(used).as("pages used, seed %d", seed).isGreaterThan(limit * 3 / 4);
    }

    private Node node(UUID id) {
      return Objects.requireNonNull(byId.get(id));
    }

    private Node anyNode() {
      return nodes.get(random.nextInt(nodes.size()));
    }

    private void write(Node owner, int bytes) {
      List<UUID> targets = new ArrayList<>(List.of(owner.id));
      while (targets.size() < 2) {
        UUID other = anyNode().id;
        if (!targets.contains(other)) {
          targets.add(other);
        }
      }
      if (owner.admission.tryAdmit(bytes, targets) != null) {
        refusedInARow++;
        return;
      }
      refusedInARow = 0;
      // Each copy is stored at a time of its own, and only then the write is over.
      List<UUID> toStore = new ArrayList<>(targets);
      underWay.add(() -> storeOne(owner, bytes, targets, toStore));
    }

    private void storeOne(Node owner, int bytes, List<UUID> targets, List<UUID> toStore) {
      node(toStore.remove(toStore.size() - 1)).usedPages += bytes / PAGE_BYTES + 1;
      if (toStore.isEmpty()) {
        owner.admission.release(bytes, targets);
      } else {
        underWay.add(() -> storeOne(owner, bytes, targets, toStore));
      }
    }

    private void ask(Node from) {
      Map<UUID, RoomQuestion> questions =
          random.nextBoolean()
              ? from.admission.regularQuestions()
              : from.admission.urgentQuestions();
      questions.forEach(
          (to, question) -> {
            int times = random.nextInt(4) == 0 ? random.nextInt(3) : 1;
            for (int i = 0; i < times; i++) {
              underWay.add(() -> answer(from, node(to), question));
            }
          });
    }

    private void answer(Node from, Node to, RoomQuestion question) {
      long limit = to.admission.answer(from.id, question);
      int times = random.nextInt(4) == 0 ? random.nextInt(3) : 1;
      for (int i = 0; i < times; i++) {
        underWay.add(() -> from.admission.answered(to.id, question, limit));
      }
    }

    private void assertWithinLimits() {
      for (Node node : nodes) {
        assertThat(node.usedPages)
            .as("used pages of node %s, seed %d", node.id, seed)
            .isLessThanOrEqualTo(node.limitPages());
      }
    }
  }
}
