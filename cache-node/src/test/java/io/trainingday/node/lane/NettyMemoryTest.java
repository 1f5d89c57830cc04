package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.internal.PlatformDependent;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/**
 * A node's memory plan takes {@code -XX:MaxDirectMemorySize} for all direct memory there is. Netty
 * could have as much again, of its own counting, where it may reach into the JDK.
 */
class NettyMemoryTest {
  private static final int BYTES = 32 << 20;

  @Test
  void directBuffers_areOfTheMemoryThatTheJvmBounds() {
    long before = jvmDirectBytes();
    ByteBuf buffer = ByteBufAllocator.DEFAULT.directBuffer(BYTES);
    try {
      assertThat(jvmDirectBytes() - before).isGreaterThanOrEqualTo(BYTES);
      assertThat(PlatformDependent.useDirectBufferNoCleaner()).isFalse();
    } finally {
      buffer.release();
    }
  }

  private static long jvmDirectBytes() {
    return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
        .filter(pool -> pool.getName().equals("direct"))
        .mapToLong(BufferPoolMXBean::getMemoryUsed)
        .sum();
  }
}
