package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.CacheNode;
import io.trainingday.node.SharedDirectory;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whoever gets in is answered: a node lets nobody in that is not wholly made. */
class FirstQuestionsTest {
  /** The sockets of all are opened after the first one's, which takes a while. */
  private static final List<String> TENANTS =
      IntStream.range(0, 40).mapToObj(number -> "t" + number).toList();

  @Test
  @Timeout(120)
  void statusAndDrain_asTheSocketOpens_areAnswered() throws Exception {
    ExecutorService asking = Executors.newSingleThreadExecutor();
    try (SharedDirectory directory = new SharedDirectory()) {
      Settings settings =
          TestNodes.settings(directory.path()).set(SettingKey.LANE_TENANTS, TENANTS).build();
      Future<List<LaneMessage>> answers =
          asking.submit(() -> ask(settings.lane().resolvedSocket()));
      try (CacheNode node = CacheNode.launch(settings)) {
        assertThat(answers.get())
            .hasExactlyElementsOfTypes(LaneMessage.StatusReply.class, AdminMessage.Told.class);
        assertThat(node.stats().notReady()).contains("stopping");
      }
    } finally {
      asking.shutdownNow();
    }
  }

  private static List<LaneMessage> ask(Path socket) throws IOException {
    try (RawClient admin = first(socket).greet(LaneMessage.Role.ADMIN, "")) {
      LaneMessage status = admin.call(new LaneMessage.StatusRequest()).message();
      long drain = admin.send(new AdminMessage.Drain(false));
      admin.receive(0).as(LaneMessage.Going.class);
      return List.of(status, admin.receive(drain).message());
    }
  }

  /** Connected as soon as it can be. */
  private static RawClient first(Path socket) {
    return await()
        .pollInterval(Duration.ofMillis(1))
        .atMost(Duration.ofSeconds(60))
        .ignoreException(ConnectException.class)
        .until(
            () ->
                Files.exists(socket)
                    ? Optional.of(new RawClient(socket))
                    : Optional.<RawClient>empty(),
            Optional::isPresent)
        .orElseThrow();
  }
}
