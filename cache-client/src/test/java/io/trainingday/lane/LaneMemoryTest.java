package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class LaneMemoryTest {
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
}
