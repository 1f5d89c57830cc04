package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.OpenReply;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneTls;
import io.trainingday.lane.LaneTls.Pem;
import io.trainingday.node.CacheNode;
import io.trainingday.node.LogLines;
import io.trainingday.node.TestCertificates;
import io.trainingday.node.TestCertificates.Identity;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Who does not get in, or at what: each is refused, logged once with the reason, and counted. The
 * lane has TLS, asks for certificates and for tokens.
 */
@Timeout(120)
class AccessTest {
  private static final int TRIES = 5;
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

  private static Identity own;
  private static Identity expired;
  private static Identity stranger;
  private static CacheNode node;
  private static String lane;

  @BeforeAll
  static void launch(@TempDir Path directory) throws Exception {
    own = TestCertificates.selfSigned(directory, "own", "ip:127.0.0.1");
    expired = TestCertificates.expired(directory, "expired", "ip:127.0.0.1");
    stranger = TestCertificates.selfSigned(directory, "stranger", "ip:127.0.0.1");
    Path tokens =
        Files.writeString(
            directory.resolve("tokens"),
            """
            of-a team-a trainer,admin
            of-b team-b trainer
            reader team-a trainer read:pictures*
            filler team-a trainer fill:pictures-1 read:?ther
            publisher team-a admin admin:pictures-*
            """);
    node =
        CacheNode.launch(
            TestNodes.settingsWithTls(directory, own, expired)
                .set(SettingKey.LANE_TOKENS_FILE, tokens)
                .build());
    lane = node.laneAddress().orElseThrow();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @Test
  void token_thatIsWrong_isRefused() throws Exception {
    refused(
        "token",
        "the token is unknown here",
        () ->
            assertThatThrownBy(() -> connect(own, Role.TRAINER, "of-c").close())
                .isInstanceOf(LaneException.class)
                .hasMessageStartingWith("the token is unknown here"));
  }

  @Test
  void certificate_thatHasExpired_isRefused() throws Exception {
    refused(
        "certificate_expired",
        "its certificate is not valid any more, or not yet",
        () -> ExpiredClient.connect(expired, own, Integer.parseInt(lane.split(":", -1)[1])));
  }

  @Test
  void certificate_thatIsUnknown_isRefused() throws Exception {
    refused(
        "certificate_unknown",
        "its certificate is signed by none that is trusted here",
        () ->
            assertThatThrownBy(() -> connect(stranger, Role.TRAINER, "of-a").close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("it does not accept this side's certificate ("));
  }

  @Test
  void dataset_ofAnotherTenant_isRefusedAndTheConnectionStays() throws Exception {
    try (LaneConnection a = connect(own, Role.TRAINER, "of-a");
        LaneConnection b = connect(own, Role.TRAINER, "of-b")) {
      open(a, "pictures");
      refused(
          "tenant",
          "data set \"team-a/pictures\" is of the tenant team-a, and this token of the tenant"
              + " team-b",
          () -> denied(() -> open(b, "team-a/pictures"), "is of the tenant team-a"));
      // The same name without the tenant is a data set of its own.
      open(b, "pictures");
      open(b, "team-x/pictures");
    }
  }

  @Test
  void dataset_thatIsNotGranted_isRefused() throws IOException {
    try (LaneConnection reader = connect(own, Role.TRAINER, "reader")) {
      long before = refusals("grant");
      denied(
          () -> open(reader, "sounds"),
          "data set \"sounds\" is granted to this token neither for reading nor for filling");
      assertThat(refusals("grant")).isEqualTo(before + 1);
    }
  }

  @Test
  void reader_mayReadAndGetsNoLeases_butNotFill() throws IOException {
    try (LaneConnection filler = connect(own, Role.TRAINER, "filler");
        LaneConnection reader = connect(own, Role.TRAINER, "reader")) {
      int there = open(filler, "pictures-1");
      fill(filler, there, 3);
      int handle = open(reader, "pictures-1");

      long before = refusals("grant");
      denied(() -> fill(reader, handle, 4), "this token grants reading and no filling");
      assertThat(refusals("grant")).isEqualTo(before + 1);
      Batch batch = read(reader, handle, 3, 4);
      assertThat(batch.statuses()).containsExactly(Status.HIT, Status.MISS);
      assertThat(read(filler, there, 4).statuses()).containsExactly(Status.LEASED_TO_YOU);
      // Nor does it take away what it states another stamp of.
      assertThat(read(reader, handle, new long[] {3}, 9).statuses()).containsExactly(Status.MISS);
      assertThat(read(filler, there, 3).statuses()).containsExactly(Status.HIT);
      // It may read what it may not fill.
      denied(() -> fill(filler, open(filler, "other"), 1), "no filling");
    }
  }

  @Test
  void publisher_mayPublishWhatIsGranted_alone() throws IOException {
    try (LaneConnection trainer = connect(own, Role.TRAINER, "of-a");
        LaneConnection publisher = connect(own, Role.ADMIN, "publisher")) {
      open(trainer, "pictures-2");
      open(trainer, "sounds");
      assertThat(
              call(publisher, new AdminMessage.PublishChanged("pictures-2", "r", new long[] {1})))
          .isInstanceOf(AdminMessage.Published.class);
      denied(
          () -> call(publisher, new AdminMessage.PublishChanged("sounds", "r", new long[] {1})),
          "data set \"sounds\" is not granted to this token for administration");
      denied(
          () -> call(publisher, new AdminMessage.Invalidate("sounds", new long[] {1})),
          "take one with admin: of it");
      denied(
          () -> call(publisher, new AdminMessage.Publish("sounds", "s", false, 0, "")),
          "take one with admin: of it");
      assertThatThrownBy(() -> connect(own, Role.TRAINER, "publisher").close())
          .isInstanceOf(LaneException.class)
          .hasMessageStartingWith("role trainer is not granted");
    }
  }

  @Test
  void status_ofATenant_namesItsOwnAlone() throws IOException {
    try (LaneConnection a = connect(own, Role.TRAINER, "of-a");
        LaneConnection admin = connect(own, Role.ADMIN, "of-a");
        LaneConnection b = connect(own, Role.TRAINER, "of-b");
        RawClient operator = RawClient.greeted(node.socket())) {
      open(a, "of-a-alone");
      open(b, "of-b-alone");

      for (LaneConnection one : List.of(a, admin)) {
        assertThat(status(one))
            .contains("of-a-alone", "\"connections\"", "team-a")
            .doesNotContain("of-b-alone", "team-b");
      }
      assertThat(status(b)).contains("of-b-alone").doesNotContain("of-a-alone", "team-a");
      assertThat(
              operator
                  .call(new LaneMessage.StatusRequest())
                  .as(LaneMessage.StatusReply.class)
                  .json())
          .contains("of-a-alone", "of-b-alone", "team-a", "team-b");
      // Nor do other answers.
      assertThat(((AdminMessage.DatasetsReply) call(admin, new AdminMessage.Datasets())).json())
          .contains("of-a-alone")
          .doesNotContain("of-b-alone");
      String nowhere = words(() -> call(admin, new AdminMessage.Explain("of-nobody", 1)));
      assertThat(words(() -> call(admin, new AdminMessage.Explain("of-b-alone", 1))))
          .isEqualTo(nowhere.replace("of-nobody", "of-b-alone"));
      assertThat(
              words(() -> call(admin, new AdminMessage.Publish("of-b-alone", "r", false, 0, ""))))
          .isEqualTo(
              words(() -> call(admin, new AdminMessage.Publish("of-nobody", "r", false, 0, "")))
                  .replace("of-nobody", "of-b-alone"));
    }
  }

  private static String status(LaneConnection connection) throws IOException {
    return ((LaneMessage.StatusReply) call(connection, new LaneMessage.StatusRequest())).json();
  }

  private static String words(ThrowingCallable request) {
    return String.valueOf(catchThrowable(request).getMessage());
  }

  @Test
  void trainer_thatMayReadAlone_isToldOnceAndOffersNoMore() {
    SampleRecord record =
        SampleRecord.builder()
            .tensor("x", DType.U8, new long[] {1}, ByteBuffer.allocate(1))
            .build();
    TrainingCache.Config config =
        TrainingCache.Config.builder()
            .address("tcp://" + lane)
            .token("reader")
            .tlsTrust(own.certificate())
            .tlsCertificate(own.certificate())
            .tlsKey(own.key())
            .build();
    DatasetSpec spec = DatasetSpec.builder("pictures-x").pipeline("p").sourceLength(10).build();
    long before = refusals("grant");
    try (LogLines log = new LogLines();
        TrainingCache cache = TrainingCache.connect(config);
        CachedSamples samples = cache.open(spec)) {
      for (int round = 0; round < 3; round++) {
        try (SampleBatch batch =
            samples.read(new long[] {1, 2, 3, 4}, ReadShape.RECORDS, index -> record)) {
          assertThat(batch.hits()).isZero();
        }
      }
      assertThat(samples.stats().originLoads()).isEqualTo(12);
      assertThat(samples.stats().fillsDropped()).isEqualTo(12);
      assertThat(log.with("samples that are missing are loaded, and not kept", "grants reading"))
          .hasSize(1);
    }
    // As many as were loaded side by side when the first one came back.
    assertThat(refusals("grant")).isBetween(before + 1, before + 4);
  }

  private interface ThrowingRunnable {
    void run() throws Exception;
  }

  /** Does it several times, and finds that many in the count, and one line in the log. */
  private static void refused(String reason, String words, ThrowingRunnable once) throws Exception {
    try (LogLines log = new LogLines()) {
      long before = refusals(reason);
      for (int i = 0; i < TRIES; i++) {
        once.run();
      }
      await().until(() -> refusals(reason) == before + TRIES);
      // A second one where a minute ended meanwhile.
      assertThat(log.with("Refused tcp://127.0.0.1 (" + reason + ")"))
          .hasSizeBetween(1, 2)
          .allSatisfy(line -> assertThat(line).contains(words));
    }
  }

  private static void denied(ThrowingCallable request, String words) {
    assertThatThrownBy(request)
        .isInstanceOfSatisfying(
            LaneException.class, e -> assertThat(e.code()).isEqualTo(Code.DENIED))
        .hasMessageContaining(words);
  }

  private static int open(LaneConnection connection, String name) throws IOException {
    return ((OpenReply) call(connection, new Open(10, "", name, "p", "", 255))).handle();
  }

  private static Batch read(LaneConnection connection, int handle, long... indices)
      throws IOException {
    return read(connection, handle, indices, new long[0]);
  }

  private static Batch read(LaneConnection connection, int handle, long[] indices, long... stamps)
      throws IOException {
    return (Batch)
        call(
            connection,
            new Read(
                handle,
                Shape.RECORDS,
                true,
                0,
                LaneMessage.NO_SLOT,
                LaneMessage.NO_SLOT,
                0,
                indices,
                stamps,
                new int[0]));
  }

  private static void fill(LaneConnection connection, int handle, long index) throws IOException {
    ByteBuffer record = ByteBuffer.wrap(RawClient.record(index, 20));
    FillReply reply = (FillReply) call(connection, new Fill(handle, 0, index, 0, 0, record));
    assertThat(reply.result()).isEqualTo(FillResult.TAKEN);
  }

  private static LaneMessage call(LaneConnection connection, LaneMessage request)
      throws IOException {
    return connection.call(request, System.nanoTime() + PATIENCE_NANOS).message();
  }

  private static LaneConnection connect(Identity identity, Role role, String token)
      throws IOException {
    LaneTls tls =
        LaneTls.of(
            new Pem("trust", own.certificate()),
            new Pem("certificate", identity.certificate()),
            new Pem("key", identity.key()));
    return LaneConnection.open(
        new LaneAddress("tcp://" + lane, "test"),
        role,
        new LaneAccess(token, tls),
        "test",
        new LaneMemory(1 << 20),
        PATIENCE_NANOS);
  }

  private static long refusals(String reason) {
    return node.stats().lane().refusals().getOrDefault(reason, -1L);
  }
}
