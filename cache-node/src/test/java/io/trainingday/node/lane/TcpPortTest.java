package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Test;

class TcpPortTest {
  private static final String HOST = "127.0.0.1";

  @Test
  void claim_port0_isAFreeOneThatIsKnownAtOnce() throws IOException {
    try (TcpPort port = TcpPort.claim(HOST, 0)) {
      assertThat(port.port()).isPositive();
      assertThat(port.text()).isEqualTo("127.0.0.1:" + port.port());
      // Turned away, and not left waiting for a node that is still starting.
      assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port.port()).close())
          .isInstanceOf(ConnectException.class);
    }
  }

  @Test
  void claim_claimed_canBeListenedOn() throws IOException {
    try (TcpPort port = TcpPort.claim(HOST, 0);
        ServerSocket listening = new ServerSocket()) {
      listening.bind(port.address());

      new Socket(InetAddress.getLoopbackAddress(), port.port()).close();
    }
  }

  @Test
  void claim_taken_namesThePort() throws IOException {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      assertThatThrownBy(() -> TcpPort.claim(HOST, other.getLocalPort()))
          .isInstanceOf(LaneStartException.class)
          .hasMessage(
              "lane.tcp.port=%d of lane.tcp.address=127.0.0.1 cannot be listened on: Address already in use; give a free port, or 0 for any, and an address of this host",
              other.getLocalPort());
    }
  }

  @Test
  void claim_addressOfAnotherHost_isRefused() {
    assertThatThrownBy(() -> TcpPort.claim("192.0.2.1", 0))
        .isInstanceOf(LaneStartException.class)
        .hasMessageStartingWith(
            "lane.tcp.port=0 of lane.tcp.address=192.0.2.1 cannot be listened on: ");
  }

  @Test
  void claim_everyAddress_isRefusedAsOthersCouldNotReachIt() {
    assertThatThrownBy(() -> TcpPort.claim("0.0.0.0", 0))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tcp.address=0.0.0.0 is every address of this host, give the one that other hosts reach");
  }

  @Test
  void claim_unknownName_isRefused() {
    assertThatThrownBy(() -> TcpPort.claim("nowhere.invalid", 0))
        .isInstanceOf(LaneStartException.class)
        .hasMessageStartingWith("lane.tcp.address=nowhere.invalid is not known");
  }

  @Test
  void text_ipv6_isInBrackets() throws IOException {
    try (TcpPort port = TcpPort.claim("::1", 0)) {
      assertThat(port.text()).isEqualTo("[::1]:" + port.port());
    }
  }
}
