package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.lane.LaneTlsException;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestCertificates;
import io.trainingday.node.TestCertificates.Identity;
import io.trainingday.node.TestNodes;
import io.trainingday.record.RecordCodec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The lane in TLS, which asks clients for a certificate. */
@Timeout(120)
class TlsLaneTest {
  private static Identity own;
  private static Identity client;
  private static Identity stranger;
  private static CacheNode node;
  private static String lane;

  @BeforeAll
  static void launch(@TempDir Path directory) throws Exception {
    own = TestCertificates.selfSigned(directory, "own", "ip:127.0.0.1");
    client = TestCertificates.selfSigned(directory, "client", "dns:trainer");
    stranger = TestCertificates.selfSigned(directory, "stranger", "ip:127.0.0.1");
    node = CacheNode.launch(TestNodes.settingsWithTls(directory, own, client).build());
    lane = node.laneAddress().orElseThrow();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @AfterEach
  void allGone() {
    await().until(() -> node.stats().lane().connections() == 0);
  }

  @Test
  void trainer_withItsCertificate_readsThrough() {
    TrainingCache.Config config =
        TrainingCache.Config.builder()
            .address("tcp://" + lane)
            .tlsTrust(own.certificate())
            .tlsCertificate(client.certificate())
            .tlsKey(client.key())
            .build();
    DatasetSpec spec = DatasetSpec.builder("read through").pipeline("p").sourceLength(100).build();
    long[] indices = LongStream.range(0, 64).toArray();
    try (TrainingCache cache = TrainingCache.connect(config);
        CachedSamples samples = cache.open(spec)) {
      for (int round = 0; round < 2; round++) {
        try (SampleBatch batch =
            samples.read(
                indices,
                ReadShape.COLLATED,
                index ->
                    RecordCodec.create().decode(ByteBuffer.wrap(RawClient.record(index, 200))))) {
          ByteBuffer images = batch.field("image").data();
          for (int i = 0; i < 64; i++) {
            assertThat(images.get(i * 40_000 + 123)).isEqualTo(RawClient.pixel(i, 123));
          }
        }
      }
      assertThat(samples.stats().inlineBatches()).isPositive();
      assertThat(samples.stats().originLoads()).isEqualTo(64);
    }
  }

  @Test
  void hello_withoutCertificate_isRefusedInWordsAndCounted() throws Exception {
    long before = refusals("certificate_missing");

    assertThatThrownBy(() -> connect(LaneTls.of(trust(own))))
        .isInstanceOf(LaneTlsException.class)
        .hasMessageContaining("it does not accept this side's certificate (");
    await().until(() -> refusals("certificate_missing") == before + 1);
  }

  @Test
  void hello_wrongCertificate_isRefusedInWordsAndCounted() throws Exception {
    long before = refusals("certificate_unknown");
    LaneTls tls =
        LaneTls.of(trust(own), new Pem("c", stranger.certificate()), new Pem("k", stranger.key()));

    assertThatThrownBy(() -> connect(tls))
        .isInstanceOf(LaneTlsException.class)
        .hasMessageContaining("it does not accept this side's certificate (");
    await().until(() -> refusals("certificate_unknown") == before + 1);
  }

  @Test
  void hello_clientDoesNotTrustTheNode_isCounted() throws Exception {
    long before = refusals("tls");

    assertThatThrownBy(() -> connect(LaneTls.of(trust(stranger))))
        .isInstanceOf(LaneTlsException.class)
        .hasMessageContaining("its certificate is signed by none of those trusted");
    await().until(() -> refusals("tls") == before + 1);
  }

  @Test
  void plainHello_isRefusedInPlainWordsClosedAndCounted() throws IOException {
    long before = refusals("tls");
    try (RawClient plain = new RawClient(lane)) {
      plain.send(RawClient.hello(Role.TRAINER, ""));
      LaneMessage.Failure failure = plain.receive(0).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.DENIED);
      assertThat(failure.message()).startsWith("this node's lane speaks TLS");
      assertThat(plain.isClosedByNode()).isTrue();
    }
    assertThat(refusals("tls")).isEqualTo(before + 1);
  }

  @Test
  void plainTrainer_isToldWhatIsMissing() {
    assertThatThrownBy(
            () ->
                LaneConnection.open(
                    new LaneAddress("tcp://" + lane, "test"),
                    Role.TRAINER,
                    LaneAccess.OPEN,
                    "test",
                    new LaneMemory(0),
                    TimeUnit.SECONDS.toNanos(10)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("this node's lane speaks TLS (lane.tls.enabled=true)");
  }

  @Test
  void tls12_isRefusedAndCounted() throws Exception {
    long before = refusals("tls");
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(own.keyStore());
    SSLContext context = SSLContext.getInstance("TLSv1.2");
    context.init(null, trust.getTrustManagers(), null);
    int colon = lane.indexOf(':');
    try (SSLSocket socket =
        (SSLSocket)
            context
                .getSocketFactory()
                .createSocket(
                    lane.substring(0, colon), Integer.parseInt(lane.substring(colon + 1)))) {
      socket.setEnabledProtocols(new String[] {"TLSv1.2"});
      assertThatThrownBy(socket::startHandshake).isInstanceOf(SSLException.class);
    }
    await().until(() -> refusals("tls") == before + 1);
  }

  @Test
  void silence_atOnceOrInTheHandshake_isClosedAndCounted() throws IOException {
    long before = refusals("silence");
    try (RawClient silent = new RawClient(lane);
        RawClient begins = new RawClient(lane)) {
      begins.write(ByteBuffer.wrap(new byte[] {0x16, 3, 1, 2, 0, 1}));
      assertThat(silent.isClosedByNode()).isTrue();
      assertThat(begins.isClosedByNode()).isTrue();
    }
    assertThat(refusals("silence")).isEqualTo(before + 2);
  }

  @Test
  void anyBytes_endInAClose() throws IOException {
    Random random = new Random(3);
    for (int round = 0; round < 400; round++) {
      byte[] noise = new byte[random.nextInt(400)];
      random.nextBytes(noise);
      // Half of them begin like a handshake, so that TLS itself gets to see the rest.
      byte[] start = {0x16, 3, (byte) (1 + random.nextInt(3)), (byte) random.nextInt(2)};
      if (random.nextBoolean()) {
        System.arraycopy(start, 0, noise, 0, Math.min(start.length, noise.length));
      }
      try (RawClient client = new RawClient(lane)) {
        client.writeAndReadToTheEnd(ByteBuffer.wrap(noise));
      }
    }
    LaneTls tls =
        LaneTls.of(trust(own), new Pem("c", client.certificate()), new Pem("k", client.key()));
    connect(tls).close();
    try (RawClient local = RawClient.greeted(node.socket())) {
      int handle = local.open("fuzz", 10);
      local.read(handle, Shape.RECORDS, false, 0, 1).as(LaneMessage.Batch.class);
    }
  }

  private static LaneConnection connect(LaneTls tls) throws IOException {
    return LaneConnection.open(
        new LaneAddress("tcp://" + lane, "test"),
        Role.TRAINER,
        new LaneAccess("", tls),
        "test",
        new LaneMemory(0),
        TimeUnit.SECONDS.toNanos(20));
  }

  private static Pem trust(Identity one) {
    return new Pem("tlsTrust", one.certificate());
  }

  private static long refusals(String reason) {
    return node.stats().lane().refusals().getOrDefault(reason, -1L);
  }
}
