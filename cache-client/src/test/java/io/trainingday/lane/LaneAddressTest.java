package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LaneAddressTest {
  private static final Map<String, String> VARIABLE =
      Map.of("TRAINING_DAY_ADDRESS", "tcp://node:7000");

  @Test
  void find_argument_winsOverVariable() {
    assertThat(LaneAddress.find("unix:/a/b.sock", VARIABLE).text()).isEqualTo("unix:/a/b.sock");
  }

  @Test
  void find_variable_winsOverDefault() {
    LaneAddress address = LaneAddress.find(null, VARIABLE);

    assertThat(address.text()).isEqualTo("tcp://node:7000");
    assertThat(address.source()).isEqualTo("TRAINING_DAY_ADDRESS");
    assertThat(address.isLocal()).isFalse();
  }

  @Test
  void find_nothingSaid_isASocketOfTheHostOrTheUser() {
    assertThat(LaneAddress.find(null, Map.of("TRAINING_DAY_ADDRESS", "")).text())
        .matches("unix:(/run/training-day|/tmp/training-day-[0-9]+)/lane.sock");
  }

  /** A pod mounts the directory of its host's node, which may be away. */
  @Test
  void byDefault_isTheSocketThatIsThere_elseTheDirectoryThatIs(@TempDir Path work)
      throws IOException {
    Path host = work.resolve("host");
    Path own = work.resolve("own");
    assertThat(LaneAddress.byDefault(host, own).text()).isEqualTo("unix:" + own + "/lane.sock");
    Files.createDirectory(host);
    assertThat(LaneAddress.byDefault(host, own).text()).isEqualTo("unix:" + host + "/lane.sock");
    Files.createFile(Files.createDirectory(own).resolve("lane.sock"));
    assertThat(LaneAddress.byDefault(host, own).text()).isEqualTo("unix:" + own + "/lane.sock");
    Files.createFile(host.resolve("lane.sock"));
    assertThat(LaneAddress.byDefault(host, own).text()).isEqualTo("unix:" + host + "/lane.sock");
  }

  @Test
  void resolve_unix_isThePath() {
    assertThat(new LaneAddress("unix:/a b/lane.sock", "x").resolve())
        .isEqualTo(UnixDomainSocketAddress.of("/a b/lane.sock"));
  }

  @ParameterizedTest
  @CsvSource({"tcp://127.0.0.1:7000,127.0.0.1,7000", "tcp://[::1]:1,::1,1"})
  void resolve_tcp_isHostAndPort(String text, String host, int port) {
    assertThat(new LaneAddress(text, "x").resolve()).isEqualTo(new InetSocketAddress(host, port));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/run/lane.sock",
        "unix:",
        "tcp://host",
        "tcp://:7000",
        "tcp://host:",
        "tcp://host:0",
        "tcp://host:65536",
        "tcp://host:7x",
        "http://host:80",
        "unix:/a\0b"
      })
  void parse_noAddress_namesValueSourceAndWhatIsAllowed(String text) {
    assertThatThrownBy(() -> LaneAddress.find(text, Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("address '" + text + "' (from the address given): ");
    if (!text.isEmpty()) {
      assertThatThrownBy(() -> LaneAddress.find(null, Map.of("TRAINING_DAY_ADDRESS", text)))
          .hasMessageStartingWith("address '" + text + "' (from TRAINING_DAY_ADDRESS): ");
    }
  }

  @Test
  void parse_pathTooLong_saysHowLongItMayBe() {
    assertThatThrownBy(() -> new LaneAddress("unix:/" + "x".repeat(107), "the address given"))
        .hasMessageEndingWith("the path has 108 bytes, allowed: 1–107");
  }

  @Test
  void parse_noScheme_saysWhatIsExpected() {
    assertThatThrownBy(() -> new LaneAddress("/a.sock", "TRAINING_DAY_ADDRESS"))
        .hasMessage(
            "address '/a.sock' (from TRAINING_DAY_ADDRESS): expected unix:PATH or tcp://HOST:PORT");
  }
}
