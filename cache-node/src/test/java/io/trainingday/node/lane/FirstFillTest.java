package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.GridCaches;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.nio.file.Path;
import java.util.HashSet;
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

  private static CacheNode node;
  private static Ignite ignite;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node = CacheNode.launch(TestNodes.settings(directory).build());
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
