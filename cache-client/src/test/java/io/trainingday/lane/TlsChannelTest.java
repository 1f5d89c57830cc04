package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.lane.LaneConnection.Reply;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.StatusReply;
import io.trainingday.lane.LaneMessage.StatusRequest;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.ScriptedServer.Peer;
import io.trainingday.lane.ScriptedServer.Request;
import io.trainingday.lane.ScriptedServer.Script;
import io.trainingday.lane.TestCertificates.Identity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ServerSocketFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The lane in TLS, against the JDK's own sockets. */
@Timeout(60)
class TlsChannelTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  private static Identity node;
  private static Identity other;

  @BeforeAll
  static void certificates(@TempDir Path directory) throws Exception {
    node = TestCertificates.selfSigned(directory, "node", "ip:127.0.0.1");
    other = TestCertificates.selfSigned(directory, "other", "dns:elsewhere.example");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 1_000, 16_384, 16_385, 70_000, 900_000})
  void call_batches_arriveWhole(int bytes) throws Exception {
    try (ScriptedServer server = serve(node, peer -> answerBatches(peer, bytes));
        LaneConnection connection = connect(server)) {
      for (int round = 0; round < 3; round++) {
        assertBatch(call(connection, read()), bytes);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 1_000, 300_000, 1_000_000})
  void call_fill_arrivesWhole(int bytes) throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          Request request = peer.next();
          Fill fill = (Fill) request.message();
          boolean right = fill.record().equals(ByteBuffer.wrap(content(bytes)));
          peer.send(new FillReply(FillResult.TAKEN, right ? "right" : "wrong"), request.id());
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(node, script);
        LaneConnection connection = connect(server)) {
      Fill fill = new Fill(1, 0, 5, 0, 0, ByteBuffer.wrap(content(bytes)));

      assertThat(call(connection, fill).message())
          .isEqualTo(new FillReply(FillResult.TAKEN, "right"));
    }
  }

  @Test
  void call_threadsTogether_eachGetsItsOwn() throws Exception {
    try (ScriptedServer server = serve(node, peer -> answerBatches(peer, 50_000));
        LaneConnection connection = connect(server)) {
      ExecutorService threads = Executors.newFixedThreadPool(4);
      List<Future<?>> all = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        all.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 100; i++) {
                    assertBatch(call(connection, read()), 50_000);
                  }
                  return null;
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
      threads.shutdown();
    }
  }

  @Test
  void call_keysChangeMeanwhile_goesOn() throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          while (true) {
            Request request = peer.next();
            peer.startHandshake();
            sendBatch(peer, request.id(), 100_000);
          }
        };
    try (ScriptedServer server = serve(node, script);
        LaneConnection connection = connect(server)) {
      for (int i = 0; i < 5; i++) {
        assertBatch(call(connection, read()), 100_000);
      }
    }
  }

  @Test
  void call_recordsOfOneByte_areUnderstood() throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          Request request = peer.next();
          ByteBuffer frame = new StatusReply("{\"a\": 1}").frame(request.id());
          while (frame.hasRemaining()) {
            peer.raw(frame.slice(frame.position(), 1));
            frame.get();
          }
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(node, script);
        LaneConnection connection = connect(server)) {
      assertThat(call(connection, new StatusRequest()).message())
          .isEqualTo(new StatusReply("{\"a\": 1}"));
    }
  }

  @Test
  void call_serverGoesAway_endsTheConnection() throws Exception {
    Script script = peer -> peer.greet(ScriptedServer.limits());
    try (ScriptedServer server = serve(node, script);
        LaneConnection connection = connect(server)) {
      assertThatThrownBy(() -> call(connection, new StatusRequest()))
          .isInstanceOf(IOException.class);
      assertThat(connection.isOpen()).isFalse();
    }
  }

  @Test
  void open_chainOfAnAuthority_isTrusted(@TempDir Path mine) throws Exception {
    Identity authority = TestCertificates.authority(mine, "authority");
    Identity signed = TestCertificates.signed(mine, "signed", "ip:127.0.0.1", authority);
    try (ScriptedServer server = serve(signed, peer -> answerBatches(peer, 10));
        LaneConnection connection = connect(server, LaneTls.of(trust(authority)))) {
      assertBatch(call(connection, read()), 10);
    }
  }

  @Test
  void open_untrustedNode_isRefusedInWords() throws Exception {
    try (ScriptedServer server = serve(node, Peer::awaitEnd)) {
      refused(
          server,
          LaneTls.of(trust(other)),
          "its certificate is signed by none of those trusted (unable to find valid certification path to requested target); trust the one that signed it");
    }
  }

  @Test
  void open_certificateOfAnotherHost_isRefusedInWords() throws Exception {
    try (ScriptedServer server = serve(other, Peer::awaitEnd)) {
      refused(
          server,
          LaneTls.of(trust(other)),
          "its certificate is another host's (No subject alternative names matching IP address 127.0.0.1 found); connect to a name that is in it, or have one made for this name");
    }
  }

  @Test
  void open_expiredCertificate_isRefusedInWords(@TempDir Path mine) throws Exception {
    Identity authority = TestCertificates.authority(mine, "authority");
    Identity old =
        TestCertificates.signed(
            mine, "old", "ip:127.0.0.1", authority, "-startdate", "-10d", "-validity", "5");
    try (ScriptedServer server = serve(old, Peer::awaitEnd)) {
      refused(server, LaneTls.of(trust(authority)), "its certificate has expired; renew it");
    }
  }

  @Test
  void open_nodeWantsACertificate_isRefusedInWords() throws Exception {
    Script greets = peer -> peer.greet(ScriptedServer.limits());
    try (ScriptedServer server =
        ScriptedServer.startTls(new Sockets(context(node), true), greets)) {
      assertThatThrownBy(() -> connect(server, LaneTls.of(trust(node))))
          .isInstanceOf(LaneTlsException.class)
          .hasMessageStartingWith(
              "TLS with the node at %s: it does not accept this side's certificate (",
              server.address())
          .hasMessageEndingWith("); set one that it trusts");

      LaneTls withOne =
          LaneTls.of(trust(node), new Pem("c", node.certificate()), new Pem("k", node.key()));
      connect(server, withOne).close();
    }
  }

  @Test
  void open_nodeWithoutTls_isRefusedInWords() throws Exception {
    Script plain =
        peer -> {
          LaneException refusal = new LaneException(LaneException.Code.DENIED, "no TLS here");
          peer.send(Failure.of(refusal), 0);
          peer.awaitEnd();
        };
    try (ScriptedServer server = ScriptedServer.startTcp(plain)) {
      refused(
          server,
          LaneTls.of(trust(node)),
          "it speaks no TLS; set lane.tls.enabled of the node, or trust nothing here");
    }
  }

  @Test
  void open_closedDuringTheHandshake_saysSo() throws Exception {
    try (ScriptedServer server = ScriptedServer.startTcp(peer -> {})) {
      assertThatThrownBy(() -> connect(server)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void open_silentNode_endsInTime() throws Exception {
    try (ScriptedServer server = ScriptedServer.startTcp(Peer::awaitEnd)) {
      assertThatThrownBy(
              () ->
                  LaneConnection.open(
                      server.address(),
                      Role.TRAINER,
                      new LaneAccess("", LaneTls.of(trust(node))),
                      "test",
                      new LaneMemory(0),
                      Duration.ofMillis(100).toNanos()))
          .isInstanceOf(IOException.class)
          .hasMessage("no TLS handshake with %s in time", server.address());
    }
  }

  private static void refused(ScriptedServer server, LaneTls tls, String why) {
    assertThatThrownBy(() -> connect(server, tls))
        .isInstanceOf(LaneTlsException.class)
        .hasMessage("TLS with the node at %s: %s", server.address(), why);
  }

  private static void answerBatches(Peer peer, int bytes) throws IOException {
    peer.greet(ScriptedServer.limits());
    while (true) {
      sendBatch(peer, peer.next().id(), bytes);
    }
  }

  private static void sendBatch(Peer peer, long id, int bytes) throws IOException {
    Batch batch =
        new Batch(
            1,
            Shape.RECORDS,
            true,
            false,
            bytes,
            new Status[] {Status.HIT},
            new long[0],
            new long[0],
            new Table.Records(new long[] {0}, new int[] {bytes}));
    peer.send(batch, id, ByteBuffer.wrap(content(bytes)));
  }

  private static Read read() {
    return new Read(1, Shape.RECORDS, false, 0, -1, -1, 0, new long[] {1});
  }

  private static void assertBatch(Reply reply, int bytes) {
    try (LaneMemory.Block block = Objects.requireNonNull(reply.payload())) {
      assertThat(block.buffer()).isEqualTo(ByteBuffer.wrap(content(bytes)));
    }
  }

  private static byte[] content(int bytes) {
    byte[] content = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      content[i] = (byte) (i * 31 + (i >>> 8));
    }
    return content;
  }

  private static Reply call(LaneConnection connection, LaneMessage request) throws IOException {
    return connection.call(request, System.nanoTime() + LONG.toNanos());
  }

  private static LaneConnection connect(ScriptedServer server) throws IOException {
    return connect(server, LaneTls.of(trust(node)));
  }

  private static LaneConnection connect(ScriptedServer server, LaneTls tls) throws IOException {
    return LaneConnection.open(
        server.address(),
        Role.TRAINER,
        new LaneAccess("", tls),
        "test",
        new LaneMemory(8 << 20),
        LONG.toNanos());
  }

  private static Pem trust(Identity one) {
    return new Pem("tlsTrust", one.certificate());
  }

  private static ScriptedServer serve(Identity one, Script script) throws Exception {
    return ScriptedServer.startTls(new Sockets(context(one), false), script);
  }

  private static SSLContext context(Identity one) throws Exception {
    KeyStore store = one.keyStore();
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, Identity.password());
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("one", store.getCertificate("own"));
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLSv1.3");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  /** Makes sockets that may ask for the client's certificate. */
  private static final class Sockets extends ServerSocketFactory {
    private final SSLContext context;
    private final boolean clientCertificates;

    Sockets(SSLContext context, boolean clientCertificates) {
      this.context = context;
      this.clientCertificates = clientCertificates;
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog, InetAddress address)
        throws IOException {
      SSLServerSocket socket =
          (SSLServerSocket)
              context.getServerSocketFactory().createServerSocket(port, backlog, address);
      socket.setNeedClientAuth(clientCertificates);
      return socket;
    }

    @Override
    public ServerSocket createServerSocket(int port) throws IOException {
      throw new UnsupportedOperationException();
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog) throws IOException {
      throw new UnsupportedOperationException();
    }
  }
}
