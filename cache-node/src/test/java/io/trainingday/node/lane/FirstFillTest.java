package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.grid.GridCaches;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** First records on a connection, while the grid cannot do a transaction on the version keys. */
class FirstFillTest {
  private static final int SIDE = 20;
  private static final int FILLS = 6;
  private static final DataSize IN_FLIGHT = DataSize.parse("8MiB");

  private static CacheNode node;
  private static Ignite ignite;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.FILL_MAX_IN_FLIGHT, IN_FLIGHT)
                .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofSeconds(4))
                .build());
    ignite =
        Ignition.allGrids().stream()
            .filter(each -> each.cache(GridCaches.VERSIONS) != null)
            .reduce((first, last) -> last)
            .orElseThrow();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @Test
  @Timeout(30)
  void fill_schemaIsKnown_asksNobody() throws Exception {
    try (RawClient before = RawClient.greeted(node.socket());
        RawClient client = RawClient.greeted(node.socket())) {
      assertThat(fill(before, before.open("known", 100), 1)).isEqualTo(FillResult.TAKEN);
      int handle = client.open("known", 100);
      try (Transaction held = holdVersionKeys()) {
        assertThat(fill(client, handle, 2)).isEqualTo(FillResult.TAKEN);
        held.rollback();
      }
    }
  }

  @Test
  @Timeout(30)
  void fill_schemaIsUnknown_isBusyInTimeAndHoldsUpNothing() throws Exception {
    try (RawClient client = RawClient.greeted(node.socket());
        RawClient other = RawClient.greeted(node.socket())) {
      int handle = client.open("unknown", 100);
      List<Long> requests = new ArrayList<>();
      try (Transaction held = holdVersionKeys()) {
        long opening = other.send(openAnother());
        // More than there are threads that may wait for the grid.
        for (long index = 0; index < FILLS; index++) {
          requests.add(client.send(fillOf(handle, index)));
        }
        other.call(new LaneMessage.StatusRequest()).as(LaneMessage.StatusReply.class);
        other.segment(64 << 10, 1);
        for (long request : requests) {
          assertThat(client.receive(request).as(FillReply.class).result())
              .isEqualTo(FillResult.BUSY);
        }
        assertThat(node.stats().fills().inFlightBytes()).isZero();
        // Whoever opens with another pipeline hears of it as well, and keeps the connection.
        assertThat(other.receive(opening).as(LaneMessage.Failure.class).code())
            .isEqualTo(Code.FAILED);
        held.rollback();
      }
      for (long index = 0; index < FILLS; index++) {
        long again = index;
        await().until(() -> fill(client, handle, again) == FillResult.TAKEN);
      }
      await().until(() -> other.call(openAnother()).message() instanceof LaneMessage.OpenReply);
    }
  }

  /** Bytes of records that wait for the grid count as those do that wait to be stored. */
  @Test
  @Timeout(30)
  void fill_manyWaitForTheSchema_noMoreThanMayBeInFlight() throws Exception {
    try (RawClient client = RawClient.greeted(node.socket())) {
      int handle = client.open("many", 100);
      List<Long> requests = new ArrayList<>();
      try (Transaction held = holdVersionKeys()) {
        for (long index = 0; index < FILLS; index++) {
          requests.add(
              client.send(
                  new LaneMessage.Fill(
                      handle, 0, index, 0, 0, ByteBuffer.wrap(RawClient.record(index, 1_200)))));
        }
        // There is no room to wait: busy at once, and before the others.
        client.receive(requests.get(FILLS - 1)).as(FillReply.class);
        assertThat(node.stats().fills().inFlightBytes()).isBetween(1L, IN_FLIGHT.bytes());
        held.rollback();
      }
    }
  }

  private static LaneMessage openAnother() {
    return new LaneMessage.Open(100, "digest", "unknown", "another pipeline", "", 255);
  }

  private static LaneMessage.Fill fillOf(int handle, long index) {
    return new LaneMessage.Fill(
        handle, 0, index, 0, 0, ByteBuffer.wrap(RawClient.record(index, SIDE)));
  }

  private static FillResult fill(RawClient client, int handle, long index) throws Exception {
    return ((FillReply) client.fill(handle, index, 0, 0, RawClient.record(index, SIDE))).result();
  }

  /** Whatever changes a version key waits for the end of this. */
  private static Transaction holdVersionKeys() {
    IgniteCache<Long, byte[]> keys = ignite.cache(GridCaches.VERSIONS);
    Set<Long> all = new HashSet<>();
    for (Cache.Entry<Long, byte[]> entry : keys) {
      all.add(entry.getKey());
    }
    assertThat(all).isNotEmpty();
    Transaction held =
        ignite
            .transactions()
            .txStart(
                TransactionConcurrency.PESSIMISTIC,
                TransactionIsolation.REPEATABLE_READ,
                60_000,
                0);
    keys.getAll(all);
    return held;
  }
}
