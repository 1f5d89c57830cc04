package io.trainingday.grid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import javax.management.BadAttributeValueExpException;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import stranger.Gadget;

/** Of which classes a node makes objects when it is sent their bytes. */
class MarshallerClassesTest {
  /** How Ignite's discovery begins, and a message that Java serialised. */
  private static final int HEADER = 0x00004747;

  private static final byte JAVA_SERIALIZATION = 1;

  private record Note(int text) implements Serializable {}

  private static Ignite node;
  private static int port;

  @BeforeAll
  static void start() throws IOException {
    port = freePort();
    node =
        Ignition.start(
            IgniteConfigurations.create(
                Settings.builder()
                    .set(SettingKey.GRID_PORT, port)
                    .set(SettingKey.GRID_COMMUNICATION_PORT, freePort())
                    .set(SettingKey.GRID_PARTITIONS, 64)
                    .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(64))
                    .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
                    .build(),
                GridListener.NONE,
                Optional.empty()));
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @Test
  void foreignClass_sentToDiscovery_isNotMade() throws IOException {
    int before = Gadget.RUNS.get();
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      byte[] object = bytes(new Gadget());
      socket
          .getOutputStream()
          .write(
              ByteBuffer.allocate(5 + object.length)
                  .putInt(HEADER)
                  .put(JAVA_SERIALIZATION)
                  .put(object)
                  .array());
      assertThat(closedBy(socket)).isTrue();
    }
    assertThat(Gadget.RUNS).hasValue(before);
  }

  @Test
  void foreignClasses_anywhereInThisJvm_areRefused() throws IOException {
    int before = Gadget.RUNS.get();
    for (Object foreign :
        List.of(new Gadget(), Map.of(1, new Gadget()), new BadAttributeValueExpException("x"))) {
      byte[] object = bytes(new ArrayList<>(List.of(foreign)));
      assertThatThrownBy(() -> read(object))
          .isInstanceOf(InvalidClassException.class)
          .hasMessageContaining("REJECTED");
    }
    assertThat(Gadget.RUNS).hasValue(before);
  }

  @Test
  void classesOfOursIgnitesAndAFewOfTheJdk_areMade() throws IOException {
    List<Object> ours =
        List.of(
            new Note(1),
            new HashMap<>(Map.of("a", new long[] {1})),
            UUID.randomUUID(),
            new RendezvousAffinityFunction(false, 32));
    for (Object one : ours) {
      byte[] object = bytes(one);
      assertThatCode(() -> read(object)).doesNotThrowAnyException();
    }
  }

  private static byte[] bytes(Object object) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(object);
    }
    return bytes.toByteArray();
  }

  private static Object read(byte[] bytes) throws IOException, ClassNotFoundException {
    try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
      return in.readObject();
    }
  }

  private static boolean closedBy(Socket socket) throws IOException {
    socket.setSoTimeout(60_000);
    try {
      return socket.getInputStream().read() < 0;
    } catch (SocketTimeoutException open) {
      return false;
    } catch (IOException reset) {
      return true;
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
