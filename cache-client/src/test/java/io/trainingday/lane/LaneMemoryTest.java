package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class LaneMemoryTest {
  private static final long NEVER = TimeUnit.HOURS.toNanos(1);

  @Property(tries = 200)
  void take_anySize_isThatLargeAndAligned(@ForAll @IntRange(max = 3_000_000) int bytes) {
    try (LaneMemory.Block block = new LaneMemory(0).take(bytes)) {
      assertThat(block.buffer().capacity()).isEqualTo(bytes);
      assertThat(block.buffer().isDirect()).isTrue();
      assertThat(block.buffer().order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
      assertThat(bytes == 0 ? 0 : block.buffer().alignmentOffset(0, 64)).isZero();
    }
  }

  @Test
  void take_givenBack_isUsedAgain() {
    LaneMemory memory = new LaneMemory(1 << 20);
    LaneMemory.Block first = memory.take(10_000);
    first.buffer().putLong(0, 0x1122334455667788L);
    first.close();

    assertThat(memory.take(10_001).buffer().getLong(0)).isEqualTo(0x1122334455667788L);
  }

  @Test
  void close_twice_givesBackOnce() {
    LaneMemory memory = new LaneMemory(1 << 20);
    LaneMemory.Block block = memory.take(100);
    block.close();
    block.close();

    LaneMemory.Block one = memory.take(100);
    LaneMemory.Block other = memory.take(100);
    one.buffer().putLong(0, 1);
    other.buffer().putLong(0, 2);

    assertThat(one.buffer().getLong(0)).isEqualTo(1);
  }

  @Test
  void close_overTheLimit_isNotKept() {
    LaneMemory memory = new LaneMemory(8 << 10);
    List<LaneMemory.Block> blocks = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      LaneMemory.Block block = memory.take(4 << 10);
      block.buffer().putLong(0, 7);
      blocks.add(block);
    }
    blocks.forEach(LaneMemory.Block::close);

    int used = 0;
    for (int i = 0; i < 3; i++) {
      used += memory.take(4 << 10).buffer().getLong(0) == 7 ? 1 : 0;
    }
    assertThat(used).isEqualTo(2);
  }

  @Test
  void take_moreThanABufferHolds_isRefused() {
    assertThatThrownBy(() -> new LaneMemory(0).take(1L << 31))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("2147483648 bytes in one piece, allowed: 2147483583; use smaller batches");
  }

  @Test
  void reserve_overTheBound_waitsUntilOthersHaveEndedAndGivenBack() throws Exception {
    LaneMemory memory = new LaneMemory(100 << 10, 0);
    LaneMemory.Block used = memory.take(64 << 10);
    LaneMemory.Reservation other = memory.reserve(32 << 10, NEVER, () -> false);
    Waiting waiting = new Waiting(memory, 32 << 10);
    waiting.awaitAsked();

    used.close();
    waiting.awaitGiven();
    other.close();
  }

  @Test
  void reserve_inTheOrderOfAsking_aSmallOneDoesNotPassALargeOne() throws Exception {
    LaneMemory memory = new LaneMemory(100 << 10, 0);
    LaneMemory.Reservation first = memory.reserve(60 << 10, NEVER, () -> false);
    Waiting large = new Waiting(memory, 60 << 10);
    large.awaitAsked();
    Waiting small = new Waiting(memory, 1 << 10);
    small.awaitAsked();

    first.close();
    large.awaitGiven();
    small.awaitGiven();
  }

  @Test
  void reserve_alone_neverWaits_howeverMuchIsInUseOrAsked() {
    LaneMemory memory = new LaneMemory(100 << 10, 0);
    memory.take(200 << 10);
    for (int i = 0; i < 2; i++) {
      memory.reserve(1 << 30, NEVER, LaneMemoryTest::failWaiting).close();
    }
  }

  @Test
  void reserve_cancelledOrTooLong_isGivenAllTheSame() {
    LaneMemory memory = new LaneMemory(100 << 10, 0);
    LaneMemory.Reservation other = memory.reserve(100 << 10, NEVER, () -> false);
    memory.reserve(1, NEVER, () -> true).close();
    memory.reserve(1, 0, LaneMemoryTest::failWaiting).close();
    other.close();
  }

  @Test
  void tryTake_overTheBound_isNull_takeIsNot() {
    LaneMemory memory = new LaneMemory(100 << 10, 0);
    LaneMemory.Block used = memory.take(64 << 10);
    assertThat(memory.tryTake(64 << 10)).isNull();
    memory.take(64 << 10).close();

    used.close();
    assertThat(memory.tryTake(64 << 10)).isNotNull();
  }

  @Test
  void take_overTheBound_givesUpWhatIsKept() {
    LaneMemory memory = new LaneMemory(100 << 10, 100 << 10);
    LaneMemory.Block kept = memory.take(32 << 10);
    kept.buffer().putLong(0, 7);
    kept.close();
    LaneMemory.Block large = memory.take(80 << 10);
    large.close();

    assertThat(memory.take(32 << 10).buffer().getLong(0)).isZero();
  }

  private static boolean failWaiting() {
    throw new AssertionError("it waits");
  }

  /** Somebody who asks on a thread of his own and cannot have it at once. */
  private static final class Waiting {
    private final CountDownLatch asked = new CountDownLatch(2);
    private final CompletableFuture<Void> given;

    Waiting(LaneMemory memory, long bytes) {
      given =
          CompletableFuture.runAsync(
              () ->
                  memory
                      .reserve(
                          bytes,
                          NEVER,
                          () -> {
                            asked.countDown();
                            return false;
                          })
                      .close());
    }

    /** It has looked twice and waits. */
    void awaitAsked() throws InterruptedException {
      asked.await();
      assertThat(given).isNotDone();
    }

    void awaitGiven() {
      given.join();
    }
  }
}
