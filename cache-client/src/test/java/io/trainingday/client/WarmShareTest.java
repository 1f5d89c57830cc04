package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class WarmShareTest {
  private static final Path GOLDEN = Path.of("contract/golden/placement.json");
  private static final Pattern VECTOR =
      Pattern.compile("\"index\": (\\d+), \"partitions\": (\\d+), \"partition\": (\\d+)");

  @Test
  void withoutOrder_isAscending_andOnlyWhatIsOurs() {
    WarmShare share = new WarmShare(10, null);
    share.take(owners(0, 1, 0, 1));

    assertThat(share.remaining()).isEqualTo(5);
    assertThat(rest(share)).containsExactly(0L, 2L, 4L, 6L, 8L);
  }

  @Test
  void order_comesFirst_eachSampleOnce_thenTheOthers() {
    WarmShare share = new WarmShare(8, List.of(5L, 2L, 5L, 7L).iterator());
    share.takeAll();

    assertThat(share.remaining()).isEqualTo(8);
    assertThat(rest(share)).containsExactly(5L, 2L, 7L, 0L, 1L, 3L, 4L, 6L);
    assertThat(share.remaining()).isZero();
  }

  @Test
  void ownershipThatChanges_isFollowed() {
    WarmShare share = new WarmShare(16, List.of(1L, 0L).iterator());
    share.take(owners(0, 1, 1, 1));
    assertThat(share.next()).isZero();
    assertThat(share.next()).isEqualTo(4);
    assertThat(share.remaining()).isEqualTo(2);

    share.take(owners(1, 0, 1, 1)); // 0 is lost; 1, passed over until now, is gained.

    assertThat(share.remaining()).isEqualTo(4);
    assertThat(share.next()).isEqualTo(5);
    share.take(owners(0, 0, 1, 1));
    assertThat(rest(share)).containsExactly(8L, 9L, 12L, 13L, 1L);
    assertThat(share.remaining()).isZero();
    share.take(owners(0, 0, 0, 0));
    assertThat(rest(share)).containsExactly(2L, 3L, 6L, 7L, 10L, 11L, 14L, 15L);
  }

  @Test
  void order_withAnIndexThatIsNone_isRefused() {
    WarmShare share = new WarmShare(8, List.of(8L).iterator());
    share.takeAll();

    assertThatThrownBy(share::next)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("order has index=8, allowed: 0–7");
  }

  @Test
  void manySamples_areAllHandedOut() {
    WarmShare share = new WarmShare(1_000, LongStream.range(500, 700).iterator());
    share.take(owners(IntStream.range(0, 64).map(p -> p % 3).toArray()));
    List<Long> first = rest(share);
    share.takeAll();
    List<Long> second = rest(share);

    assertThat(first).hasSizeBetween(300, 360).startsWith(502L);
    first.addAll(second);
    assertThat(first).hasSize(1_000).doesNotHaveDuplicates();
  }

  @Test
  void partitionOf_isAsInTheContract() throws Exception {
    Matcher vectors = VECTOR.matcher(Files.readString(GOLDEN));
    int count = 0;
    for (; vectors.find(); count++) {
      long index = Long.parseLong(vectors.group(1));
      assertThat(Ownership.partitionOf(index, Integer.parseInt(vectors.group(2))))
          .as("partition of %d", index)
          .isEqualTo(Integer.parseInt(vectors.group(3)));
    }
    assertThat(count).isGreaterThan(50);
  }

  private static List<Long> rest(WarmShare share) {
    List<Long> rest = new ArrayList<>();
    for (long index; (index = share.next()) != WarmShare.NONE; ) {
      rest.add(index);
    }
    return rest;
  }

  /** By partition the node that is its primary; 0 is ours. */
  private static Ownership owners(int... primaries) {
    List<Ownership.Node> nodes =
        IntStream.range(0, 3)
            .mapToObj(n -> new Ownership.Node("n" + n, "h" + n, Optional.empty(), 1, n == 0))
            .toList();
    return new Ownership(1, nodes, IntStream.of(primaries).mapToObj(List::of).toList());
  }
}
