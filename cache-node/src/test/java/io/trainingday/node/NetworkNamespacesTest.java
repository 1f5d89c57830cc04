package io.trainingday.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("root")
final class NetworkNamespacesTest {
  @Test
  void cut_partsTheHosts_untilHealed() throws Exception {
    try (NetworkNamespaces network = new NetworkNamespaces()) {
      for (int host = 1; host <= 3; host++) {
        network.of(host);
      }
      assertThat(reached(network)).containsExactly("1-2", "1-3", "2-1", "2-3", "3-1", "3-2");

      network.cut(1);
      assertThat(reached(network)).containsExactly("2-3", "3-2");

      network.cut(2, 3);
      assertThat(reached(network)).containsExactly("2-3", "3-2");

      network.heal();
      assertThat(reached(network)).containsExactly("1-2", "1-3", "2-1", "2-3", "3-1", "3-2");
    }
    assertThat(Tool.run("ip", "netns", "list"))
        .doesNotContain("td-test-" + ProcessHandle.current().pid());
  }

  private static List<String> reached(NetworkNamespaces network) throws Exception {
    List<String> pairs = new ArrayList<>();
    for (int from = 1; from <= 3; from++) {
      for (int to = 1; to <= 3; to++) {
        if (from != to && reaches(network, from, to)) {
          pairs.add(from + "-" + to);
        }
      }
    }
    return pairs;
  }

  /** Nobody listens at the port, so a host that is reached says so at once. */
  private static boolean reaches(NetworkNamespaces network, int from, int to)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(network.launcher(from));
    command.addAll(
        List.of(
            "timeout", "0.4", "bash", "-c", "exec 3<>/dev/tcp/" + network.of(to).address() + "/9"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).isNotZero();
    return printed.contains("Connection refused");
  }
}
