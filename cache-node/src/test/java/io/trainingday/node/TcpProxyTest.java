package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The proxy in front of a server that sends back what it gets. */
final class TcpProxyTest {
  private static final int PATIENCE_MILLIS = 200;

  private ServerSocket echo;
  private TcpProxy proxy;

  @BeforeEach
  void start() throws IOException {
    echo = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread server = new Thread(this::serve, "echo");
    server.setDaemon(true);
    server.start();
    proxy = TcpProxy.to((InetSocketAddress) echo.getLocalSocketAddress());
  }

  @AfterEach
  void stop() throws IOException {
    proxy.close();
    echo.close();
  }

  private void serve() {
    while (true) {
      try (Socket socket = echo.accept();
          InputStream in = socket.getInputStream();
          OutputStream out = socket.getOutputStream()) {
        in.transferTo(out);
      } catch (SocketException ended) {
        if (echo.isClosed()) {
          return;
        }
      } catch (IOException broken) {
        throw new AssertionError(broken);
      }
    }
  }

  private Socket connect() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), proxy.port());
    socket.setSoTimeout(10_000);
    return socket;
  }

  private static int ask(Socket socket, int value) throws IOException {
    socket.getOutputStream().write(value);
    int answer = socket.getInputStream().read();
    if (answer < 0) {
      throw new EOFException();
    }
    return answer;
  }

  @Test
  void bytes_passInBothDirections() throws IOException {
    byte[] sent = new byte[1 << 20];
    new Random(1).nextBytes(sent);
    try (Socket socket = connect()) {
      Thread writer =
          new Thread(
              () -> {
                try {
                  socket.getOutputStream().write(sent);
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              });
      writer.start();
      byte[] got = new byte[sent.length];
      new DataInputStream(socket.getInputStream()).readFully(got);
      assertThat(got).isEqualTo(sent);
      assertThat(proxy.connections()).isEqualTo(1);
    }
  }

  @Test
  void delay_isPaidInEachDirection() throws IOException {
    try (Socket socket = connect()) {
      assertThat(ask(socket, 7)).isEqualTo(7);
      proxy.delay(Duration.ofMillis(60));
      long start = System.nanoTime();
      assertThat(ask(socket, 8)).isEqualTo(8);
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(120_000_000);
    }
  }

  @Test
  void dropped_bytesNeverArrive_andTheConnectionEndsWhenHealed() throws IOException {
    try (Socket socket = connect()) {
      assertThat(ask(socket, 1)).isEqualTo(1);
      proxy.drop();
      socket.setSoTimeout(PATIENCE_MILLIS);
      assertThatThrownBy(() -> ask(socket, 2)).isInstanceOf(SocketTimeoutException.class);

      proxy.heal();
      socket.setSoTimeout(10_000);
      assertThatThrownBy(() -> ask(socket, 3)).isInstanceOf(IOException.class);
    }
    try (Socket socket = connect()) {
      assertThat(ask(socket, 4)).isEqualTo(4);
    }
  }

  @Test
  void cut_endsConnections_untilHealed() throws IOException {
    try (Socket before = connect()) {
      assertThat(ask(before, 1)).isEqualTo(1);
      proxy.cut();
      assertThatThrownBy(() -> ask(before, 2)).isInstanceOf(IOException.class);
      assertThatThrownBy(
              () -> {
                try (Socket meanwhile = connect()) {
                  ask(meanwhile, 3);
                }
              })
          .isInstanceOf(IOException.class);
    }
    proxy.heal();
    try (Socket after = connect()) {
      assertThat(ask(after, 4)).isEqualTo(4);
    }
  }
}
