package io.trainingday.processes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.ServerSocketChannel;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PortReservationTest {
  private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

  @Test
  void reservedPort_isListenedOnByWhoKnowsIt() throws Exception {
    try (PortReservation ports = new PortReservation(2)) {
      try (ServerSocket server = new ServerSocket();
          ServerSocketChannel channel = ServerSocketChannel.open()) {
        server.bind(new InetSocketAddress(LOOPBACK, ports.port(0)));
        channel.bind(new InetSocketAddress(LOOPBACK, ports.port(1)));
        try (Socket client = new Socket(LOOPBACK, ports.port(0))) {
          assertThat(client.isConnected()).isTrue();
        }
        assertThatThrownBy(
                () -> {
                  try (ServerSocket second = new ServerSocket()) {
                    second.bind(new InetSocketAddress(LOOPBACK, ports.port(0)));
                  }
                })
            .isInstanceOf(BindException.class);
      }
      // As when the process that listened is started again.
      try (ServerSocket again = new ServerSocket()) {
        again.bind(new InetSocketAddress(LOOPBACK, ports.port(0)));
      }
    }
  }

  @Test
  void reservedPorts_areGivenToNobodyElse() throws Exception {
    try (PortReservation ports = new PortReservation(50)) {
      Set<Integer> reserved = new HashSet<>();
      for (int i = 0; i < 50; i++) {
        reserved.add(ports.port(i));
      }
      assertThat(reserved).hasSize(50);
      try (PortReservation others = new PortReservation(2_000)) {
        for (int i = 0; i < 2_000; i++) {
          assertThat(reserved).doesNotContain(others.port(i));
        }
      }
    }
  }
}
