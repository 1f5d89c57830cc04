package io.trainingday.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.trainingday.lane.LaneConnection.Reply;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.OpenReply;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.StatusReply;
import io.trainingday.lane.LaneMessage.StatusRequest;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.ScriptedServer.Request;
import io.trainingday.lane.ScriptedServer.Script;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class LaneConnectionTest {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static final Duration SHORT = Duration.ofMillis(100);

  private final Path directory;

  LaneConnectionTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void call_threadsTogether_eachGetsItsOwnReply() throws Exception {
    Script inAnyOrder =
        peer -> {
          peer.greet(ScriptedServer.limits());
          while (true) {
            Request request = peer.next();
            long came = ((Open) request.message()).sourceLength();
            peer.aside(() -> peer.send(new OpenReply(1, 0, came), request.id()));
          }
        };
    try (ScriptedServer server = serve(inAnyOrder);
        LaneConnection connection = connect(server)) {
      inThreads(
          4,
          thread -> {
            for (int i = 0; i < 500; i++) {
              long mine = thread * 1_000L + i;
              OpenReply reply =
                  (OpenReply)
                      call(connection, new Open(mine, "", "d", "p", "", Open.BACKUPS_AS_KEPT), LONG)
                          .message();
              assertThat(reply.generation()).isEqualTo(mine);
            }
          });
    }
  }

  @Test
  void call_moreThanAllowedInFlight_waitForEachOther() throws Exception {
    AtomicInteger unanswered = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    CountDownLatch twoCame = new CountDownLatch(2);
    HelloReply two = new HelloReply(1, true, 1 << 20, 1 << 20, 2, 1_000, 10_000, 1 << 20, "here");
    Script script =
        peer -> {
          peer.greet(two);
          while (true) {
            Request request = peer.next();
            most.accumulateAndGet(unanswered.incrementAndGet(), Math::max);
            twoCame.countDown();
            peer.aside(
                () -> {
                  await(twoCame);
                  unanswered.decrementAndGet();
                  peer.send(new StatusReply("{}"), request.id());
                });
          }
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      inThreads(
          8,
          thread -> {
            for (int i = 0; i < 5; i++) {
              call(connection, new StatusRequest(), LONG);
            }
          });
      assertThat(most).hasValue(2);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 1_000, 70_000, 900_000})
  void call_inlinePayload_liesAlignedInDirectMemory(int bytes) throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          for (int round = 0; round < 2; round++) {
            byte[] payload = new byte[bytes];
            payload[0] = (byte) (round + 1);
            payload[bytes - 1] = (byte) (round + 1);
            peer.send(inline(bytes), peer.next().id(), ByteBuffer.wrap(payload));
          }
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      for (int round = 0; round < 2; round++) {
        Reply reply = call(connection, read(), LONG);
        LaneMemory.Block block = Objects.requireNonNull(reply.payload());
        ByteBuffer payload = block.buffer();
        assertThat(payload.isDirect()).isTrue();
        assertThat(payload.alignmentOffset(0, 64)).isZero();
        assertThat(payload.capacity()).isEqualTo(bytes);
        assertThat(payload.get(0)).isEqualTo((byte) (round + 1));
        assertThat(payload.get(bytes - 1)).isEqualTo((byte) (round + 1));
        block.close();
      }
    }
  }

  @Test
  void call_largeFill_arrivesWhole() throws Exception {
    byte[] record = new byte[900_000];
    for (int i = 0; i < record.length; i++) {
      record[i] = (byte) (i * 31);
    }
    List<byte[]> came = new ArrayList<>();
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          Request fill = peer.next();
          byte[] bytes = new byte[record.length];
          ((Fill) fill.message()).record().get(bytes);
          came.add(bytes);
          peer.send(new FillReply(FillResult.TAKEN, ""), fill.id());
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      ByteBuffer direct = ByteBuffer.allocateDirect(record.length).put(record).flip();
      call(connection, new Fill(1, 0, 5, 6, 7, direct), LONG);

      assertThat(came.get(0)).isEqualTo(record);
      assertThat(direct.position()).isZero();
    }
  }

  @Test
  void call_errorReply_isThrownAndTheConnectionLives() throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.send(
              new Failure(LaneException.Code.REFUSED, false, "no such thing"), peer.next().id());
          peer.send(new StatusReply("{}"), peer.next().id());
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      assertThatThrownBy(() -> call(connection, new StatusRequest(), LONG))
          .isInstanceOfSatisfying(
              LaneException.class, e -> assertThat(e.code()).isEqualTo(LaneException.Code.REFUSED))
          .hasMessage("no such thing");
      assertThat(call(connection, new StatusRequest(), LONG).message())
          .isEqualTo(new StatusReply("{}"));
    }
  }

  @Test
  void call_noAnswer_endsAtTheDeadlineAndForAll() throws Exception {
    CountDownLatch came = new CountDownLatch(2);
    Script silent =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.next();
          came.countDown();
          peer.next();
          came.countDown();
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(silent);
        LaneConnection connection = connect(server)) {
      ExecutorService other = Executors.newSingleThreadExecutor();
      Future<Throwable> patient =
          other.submit(() -> catchThrowable(() -> call(connection, new StatusRequest(), LONG)));
      Throwable mine = catchThrowable(() -> call(connection, new StatusRequest(), SHORT));

      assertThat(mine)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("did not answer in time");
      assertThat(patient.get()).isInstanceOf(IOException.class);
      assertThat(connection.isOpen()).isFalse();
      assertThatThrownBy(() -> call(connection, new StatusRequest(), LONG))
          .isInstanceOf(IOException.class);
      other.shutdown();
    }
  }

  @Test
  void call_longAnswerStillArriving_outlastsTheDeadlineForAll() throws Exception {
    Duration given = Duration.ofMillis(1_500);
    Script slow =
        peer -> {
          peer.greet(ScriptedServer.limits());
          Request[] came = {peer.next(), peer.next()};
          peer.send(inline(900_000), came[0].id());
          long enough = System.nanoTime() + given.toNanos() * 3 / 2;
          int sent = 0;
          while (System.nanoTime() - enough < 0) {
            peer.raw(ByteBuffer.wrap(new byte[10_000]));
            sent += 10_000;
            pause();
          }
          peer.raw(ByteBuffer.wrap(new byte[900_000 - sent]));
          peer.send(inline(1), came[1].id(), ByteBuffer.wrap(new byte[1]));
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(slow);
        LaneConnection connection = connect(server)) {
      inThreads(
          2, thread -> Objects.requireNonNull(call(connection, read(), given).payload()).close());
    }
  }

  @Test
  void call_longAnswerThatStops_endsTheConnection() throws Exception {
    Script stops =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.send(inline(900_000), peer.next().id(), ByteBuffer.wrap(new byte[400_000]));
          peer.awaitEnd();
        };
    assertLate(stops);
  }

  @Test
  void call_longAnswerThatTrickles_endsTheConnection() throws Exception {
    Script trickles =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.send(inline(900_000), peer.next().id(), ByteBuffer.wrap(new byte[100_000]));
          for (int i = 0; i < 800_000; i++) {
            peer.raw(ByteBuffer.wrap(new byte[1]));
            pause();
          }
        };
    assertLate(trickles);
  }

  private void assertLate(Script script) throws IOException {
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      assertThatThrownBy(() -> call(connection, read(), SHORT))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("did not answer in time");
      assertThat(connection.isOpen()).isFalse();
    }
  }

  /** As a slow network has them between what it brings. */
  private static void pause() {
    LockSupport.parkNanos(Duration.ofMillis(30).toNanos());
  }

  @Test
  void call_nodeDoesNotRead_endsAtTheDeadline() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    Script stuck =
        peer -> {
          peer.greet(
              new HelloReply(
                  LaneMessage.VERSION,
                  true,
                  32 << 20,
                  1 << 20,
                  16,
                  1_000,
                  10_000,
                  64L << 20,
                  "here"));
          await(over);
        };
    try (ScriptedServer server = serve(stuck);
        LaneConnection connection = connect(server)) {
      ByteBuffer record = ByteBuffer.allocateDirect(16 << 20);

      assertThatThrownBy(() -> call(connection, new Fill(1, 0, 5, 6, 7, record), SHORT))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("does not read in time");
      over.countDown();
    }
  }

  @Test
  void call_nodeDies_failsEverybody() throws Exception {
    Script dies =
        peer -> {
          peer.greet(ScriptedServer.limits());
          for (int i = 0; i < 4; i++) {
            peer.next();
          }
        };
    try (ScriptedServer server = serve(dies);
        LaneConnection connection = connect(server)) {
      inThreads(
          4,
          thread ->
              assertThatThrownBy(() -> call(connection, new StatusRequest(), LONG))
                  .isInstanceOf(IOException.class));
      assertThat(connection.isOpen()).isFalse();
    }
  }

  @Test
  void call_nodeDiesInTheMiddleOfAnAnswer_memoryIsGivenBack() throws Exception {
    Script dies =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.send(inline(900_000), peer.next().id(), ByteBuffer.wrap(new byte[400_000]));
        };
    LaneMemory memory = new LaneMemory(1 << 20, 0);
    try (ScriptedServer server = serve(dies);
        LaneConnection connection =
            LaneConnection.open(
                server.address(), Role.TRAINER, LaneAccess.OPEN, "test", memory, LONG.toNanos())) {
      assertThatThrownBy(() -> call(connection, read(), LONG)).isInstanceOf(IOException.class);

      assertThat(memory.tryTake(900_000)).isNotNull();
    }
  }

  @Test
  void close_whileSomebodyWaits_failsIt() throws Exception {
    CountDownLatch came = new CountDownLatch(1);
    Script silent =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.next();
          came.countDown();
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(silent)) {
      LaneConnection connection = connect(server);
      ExecutorService other = Executors.newSingleThreadExecutor();
      Future<Throwable> waiting =
          other.submit(() -> catchThrowable(() -> call(connection, new StatusRequest(), LONG)));
      await(came);
      connection.close();

      assertThat(waiting.get()).isInstanceOf(IOException.class).hasMessageContaining("was closed");
      other.shutdown();
    }
  }

  @Test
  void call_interruptedThread_isAnsweredAndStaysInterrupted() throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          peer.send(new StatusReply("{}"), peer.next().id());
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      Thread.currentThread().interrupt();

      assertThat(call(connection, new StatusRequest(), LONG).message())
          .isEqualTo(new StatusReply("{}"));
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void call_answerOfAnotherType_endsTheConnection() throws Exception {
    endsWith(peer -> peer.send(new OpenReply(1, 1, 1), peer.next().id()), "type 130");
  }

  @Test
  void call_answerToAnotherRequest_endsTheConnection() throws Exception {
    endsWith(peer -> peer.send(new StatusReply("{}"), peer.next().id() + 9), "which nobody made");
  }

  @Test
  void call_answerLongerThanAllowed_endsTheConnectionUnread() throws Exception {
    endsWith(
        peer -> {
          ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES);
          new Frame((1 << 20) + 1, 0x8A, peer.next().id()).write(header);
          peer.raw(header.flip());
        },
        "frame length=1048577 > maxFrameBytes=1048576");
  }

  @Test
  void open_nobodyThere_isAnIoException() {
    assertThatThrownBy(
            () -> open(new LaneAddress("unix:" + directory.resolve("none.sock"), "test"), LONG))
        .isInstanceOf(IOException.class);
  }

  @Test
  void open_noGreeting_endsAtTheDeadline() throws Exception {
    try (ScriptedServer server = serve(ScriptedServer.Peer::awaitEnd)) {
      assertThatThrownBy(() -> open(server.address(), SHORT))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("did not answer in time");
    }
  }

  @Test
  void open_refused_saysWhatTheNodeSays() throws Exception {
    Script refuses =
        peer ->
            peer.send(
                new Failure(LaneException.Code.UNSUPPORTED_VERSION, false, "versions 3–4"),
                peer.next().id());
    try (ScriptedServer server = serve(refuses)) {
      assertThatThrownBy(() -> open(server.address(), LONG))
          .isInstanceOf(LaneException.class)
          .hasMessage("versions 3–4");
    }
  }

  @Test
  void open_unusableLimits_isAnIoException() throws Exception {
    HelloReply none = new HelloReply(1, true, 1 << 20, 1 << 20, 0, 1, 1, 0, "here");
    try (ScriptedServer server = serve(peer -> peer.greet(none))) {
      assertThatThrownBy(() -> open(server.address(), LONG))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("unusable limits");
    }
  }

  private void endsWith(Script answer, String message) throws Exception {
    Script script =
        peer -> {
          peer.greet(ScriptedServer.limits());
          answer.run(peer);
          peer.awaitEnd();
        };
    try (ScriptedServer server = serve(script);
        LaneConnection connection = connect(server)) {
      assertThatThrownBy(() -> call(connection, new StatusRequest(), LONG))
          .isInstanceOf(IOException.class)
          .hasMessageContaining(message);
      assertThat(connection.isOpen()).isFalse();
    }
  }

  private static Read read() {
    return new Read(1, Shape.RECORDS, false, 0, -1, -1, 0, new long[] {1});
  }

  private static Batch inline(int bytes) {
    return new Batch(
        1,
        Shape.RECORDS,
        true,
        false,
        bytes,
        new Status[] {Status.HIT},
        new long[0],
        new long[0],
        new Table.Records(new long[1], new int[] {bytes}));
  }

  private ScriptedServer serve(Script script) throws IOException {
    return ScriptedServer.start(directory.resolve("lane.sock"), script);
  }

  private static LaneConnection connect(ScriptedServer server) throws IOException {
    return open(server.address(), LONG);
  }

  private static LaneConnection open(LaneAddress address, Duration timeout) throws IOException {
    return LaneConnection.open(
        address, Role.TRAINER, LaneAccess.OPEN, "test", new LaneMemory(8 << 20), timeout.toNanos());
  }

  private static Reply call(LaneConnection connection, LaneMessage request, Duration timeout)
      throws IOException {
    return connection.call(request, System.nanoTime() + timeout.toNanos());
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private interface Work {
    void run(int thread) throws Exception;
  }

  private static void inThreads(int count, Work work) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(count);
    try {
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int t = 0; t < count; t++) {
        int thread = t;
        tasks.add(
            () -> {
              work.run(thread);
              return true;
            });
      }
      for (Future<Boolean> done : threads.invokeAll(tasks)) {
        assertThat(done.get()).isTrue();
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
