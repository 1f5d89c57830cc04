package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.TestCertificates.Identity;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Nothing listens but what is documented, in processes of nodes. */
@ExtendWith(LocalGridLogs.class)
class ListeningSocketsIT {
  private static final Path PAGE = Path.of("..", "k8s", "README.md");

  private final Map<Integer, Settings> settings = new ConcurrentHashMap<>();

  @Test
  void nodeAlone_withNothingSwitchedOn_listensOnItsSocketIgnitesPortsAndMetrics() throws Exception {
    try (LocalGrid grid =
        LocalGrid.of(1)
            .eachNode(
                (number, node) -> {
                  node.unset(SettingKey.LANE_TCP_ENABLED)
                      .unset(SettingKey.LANE_TCP_PORT)
                      .unset(SettingKey.GRID_LOCAL_ADDRESS)
                      .unset(SettingKey.GRID_DISCOVERY_ADDRESSES)
                      .unset(SettingKey.METRICS_ADDRESS);
                  settings.put(number, node.build());
                })
            .start()) {
      assertThat(ListeningSockets.of(grid.node(0).process().pid()))
          .isEqualTo(documented(of(1)))
          .hasSize(4);
    }
  }

  @Test
  void nodes_withEverythingSwitchedOn_listenOnTheLanesPortToo(@TempDir Path directory)
      throws Exception {
    Identity own = TestCertificates.selfSigned(directory, "own", "ip:127.0.0.1");
    Path tokens = Files.writeString(directory.resolve("tokens"), "s3cret default peer,trainer\n");
    try (LocalGrid grid =
        LocalGrid.of(2)
            .eachNode(
                (number, node) -> {
                  node.set(SettingKey.GRID_TLS_CERTIFICATE, own.certificate())
                      .set(SettingKey.GRID_TLS_KEY, own.key())
                      .set(SettingKey.GRID_TLS_TRUST, own.certificate())
                      .set(SettingKey.LANE_TLS_ENABLED, true)
                      .set(SettingKey.LANE_TLS_CERTIFICATE, own.certificate())
                      .set(SettingKey.LANE_TLS_KEY, own.key())
                      .set(SettingKey.LANE_TLS_TRUST, own.certificate())
                      .set(SettingKey.LANE_TLS_CLIENT_CERTIFICATES, true)
                      .set(SettingKey.LANE_TOKENS_FILE, tokens)
                      .set(SettingKey.DISK_PATH, directory.resolve("disk-" + number));
                  settings.put(number, node.build());
                })
            .start()) {
      for (int i = 0; i < 2; i++) {
        assertThat(ListeningSockets.of(grid.node(i).process().pid()))
            .isEqualTo(documented(of(i + 1)))
            .hasSize(5);
      }
    }
  }

  private Settings of(int number) {
    return Objects.requireNonNull(settings.get(number));
  }

  /** What stands under "Who can reach what", with the ports and addresses of these settings. */
  private static Set<String> documented(Settings settings) {
    Set<String> all = new TreeSet<>();
    Settings.Grid grid = settings.grid();
    all.add("tcp " + grid.localAddress() + ":" + grid.port());
    all.add("tcp " + grid.localAddress() + ":" + grid.communicationPort());
    all.add("tcp " + settings.metrics().address() + ":" + settings.metrics().port());
    Settings.Tcp tcp = settings.lane().tcp();
    if (tcp.enabled()) {
      all.add("tcp " + tcp.address().orElse(grid.localAddress()) + ":" + tcp.port());
    }
    all.add("unix " + settings.lane().resolvedSocket());
    return all;
  }

  @Test
  void page_namesThePortsThatNodesHaveByDefault() throws IOException {
    String page = Files.readString(PAGE);
    int from = page.indexOf("## Who can reach what");
    String table = page.substring(from, page.indexOf("Nothing else listens", from));
    Set<Integer> named = new TreeSet<>();
    Matcher port = Pattern.compile("\\b[0-9]{4,5}\\b").matcher(table);
    while (port.find()) {
      named.add(Integer.valueOf(port.group()));
    }
    Settings defaults = Settings.defaults();
    assertThat(named)
        .containsExactlyInAnyOrder(
            defaults.grid().port(),
            defaults.grid().communicationPort(),
            defaults.lane().tcp().port(),
            defaults.metrics().port());
  }

  @Test
  void aSocketTooMany_isFound(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("s");
    InetAddress loopback = InetAddress.getLoopbackAddress();
    try (ServerSocket tcp = new ServerSocket(0, 1, loopback);
        DatagramSocket udp = new DatagramSocket(new InetSocketAddress(loopback, 0));
        ServerSocketChannel unix = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      unix.bind(UnixDomainSocketAddress.of(file));
      assertThat(ListeningSockets.of(ProcessHandle.current().pid()))
          .contains(
              "tcp 127.0.0.1:" + tcp.getLocalPort(),
              "udp 127.0.0.1:" + udp.getLocalPort(),
              "unix " + file);
    }
  }
}
