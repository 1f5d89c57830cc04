package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.EpochOwnership;
import io.trainingday.client.RankGroup;
import io.trainingday.client.TrainingCache;
import io.trainingday.lane.AgreeMessage;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes: what one trainer offered first is what all get, wherever they ask. */
class TrainerAgreementTest {
  private static final Duration DEADLINE = Duration.ofSeconds(60);
  private static NodeGrid grid;

  @BeforeAll
  static void launch(@TempDir Path directory) throws IOException {
    grid = NodeGrid.launch(directory, 2, settings -> settings);
  }

  @AfterAll
  static void stop() {
    grid.close();
  }

  @Test
  void firstOffer_isEveryonesOnEveryNode() throws IOException {
    try (RawClient a = RawClient.greeted(grid.node(0).socket());
        RawClient b = RawClient.greeted(grid.node(1).socket())) {
      assertThat(agree(b, "k")).isEmpty();
      assertThat(agree(a, "k", 1, 2)).containsExactly(1, 2);
      assertThat(agree(b, "k", 3)).containsExactly(1, 2);
      assertThat(agree(b, "k")).containsExactly(1, 2);
      assertThat(agree(b, "other")).isEmpty();
    }
  }

  @Test
  void offersAtOnce_fromBothNodes_oneWins() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      for (int round = 0; round < 5; round++) {
        String key = "race/" + round;
        List<Future<byte[]>> answers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          byte offer = (byte) (i + 1);
          Path socket = grid.node(i % 2).socket();
          answers.add(
              threads.submit(
                  () -> {
                    try (RawClient client = RawClient.greeted(socket)) {
                      return agree(client, key, offer);
                    }
                  }));
        }
        byte[] first = answers.get(0).get();
        for (Future<byte[]> answer : answers) {
          assertThat(answer.get()).isEqualTo(first).hasSize(1);
        }
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void keyThatIsNone_isRefused() throws IOException {
    try (RawClient client = RawClient.greeted(grid.node(0).socket())) {
      LaneMessage.Failure failure =
          client
              .call(new AgreeMessage.Request("no spaces", new byte[0]))
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.MALFORMED);
      assertThat(failure.message()).contains("key='no spaces', allowed: A–Z a–z 0–9 . _ - /");
    }
  }

  @Test
  void ranks_onBothNodes_agreeOnOneOwnership() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      List<Future<EpochOwnership>> answers = new ArrayList<>();
      for (int rank = 2; rank >= 0; rank--) {
        int own = rank;
        answers.add(threads.submit(() -> agree(own, new RankGroup("job", "1", own, 3, DEADLINE))));
      }
      EpochOwnership agreed = answers.get(0).get();
      assertThat(agreed.rankHosts()).containsExactly("host-0", "host-1", "host-0");
      assertThat(agreed.snapshot().hosts()).containsExactly("host-0", "host-1");
      for (Future<EpochOwnership> answer : answers) {
        assertThat(answer.get().snapshot().digest()).isEqualTo(agreed.snapshot().digest());
        assertThat(answer.get().rankHosts()).isEqualTo(agreed.rankHosts());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void rankThatDoesNotCome_isAnError_whichNamesIt() {
    assertThatThrownBy(() -> agree(0, new RankGroup("alone", "0", 0, 2, Duration.ofMillis(300))))
        .isInstanceOf(CacheException.class)
        .hasMessage(
            "no agreement on plan/alone/0/7/host/1 within 300 ms: rank 1 has not offered it;"
                + " start all 2 ranks with the same job and attempt, or pass them the ownership");
    assertThatThrownBy(() -> agree(1, new RankGroup("alone", "0", 1, 3, Duration.ofMillis(300))))
        .isInstanceOf(CacheException.class)
        .hasMessageStartingWith(
            "no agreement on plan/alone/0/7/ownership within 300 ms: rank 0 has not offered it");
  }

  @Test
  void otherWorldSize_isAnError() {
    agree(0, new RankGroup("world", "0", 0, 1, DEADLINE));
    assertThatThrownBy(() -> agree(1, new RankGroup("world", "0", 1, 2, DEADLINE)))
        .isInstanceOf(CacheException.class)
        .hasMessageStartingWith(
            "plan/world/0/7/ownership is of world size=1, this rank's is 2; start all ranks");
  }

  private static EpochOwnership agree(int rank, RankGroup group) {
    String address = "unix:" + grid.node(rank % 2).socket();
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples =
            cache.open(DatasetSpec.builder("agreed").pipeline("p").sourceLength(10).build())) {
      return samples.agree(group, 7);
    }
  }

  private static byte[] agree(RawClient client, String key, int... value) throws IOException {
    byte[] bytes = new byte[value.length];
    for (int i = 0; i < value.length; i++) {
      bytes[i] = (byte) value[i];
    }
    return client.call(new AgreeMessage.Request(key, bytes)).as(AgreeMessage.Reply.class).value();
  }
}
