package io.trainingday.node.capacity;

import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteBiPredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the questions and answers of {@link Admission} between the nodes, as messages of Ignite:
 * whoever can be written to can be asked. Lost ones are asked again.
 */
final class RoomMessages implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RoomMessages.class);

  private static final String TOPIC = "training-day-room";
  private static final long TURN_MILLIS = 250;

  // A message is a long[]: its kind, settled, wanted and, in an answer, the limit, or, in a
  // question,
  // its flags, which an older node leaves out.
  private static final long QUESTION = 0;
  private static final long ANSWER = 1;

  private final Ignite ignite;
  private final Admission admission;
  private final ScheduledExecutorService thread;
  private final AtomicBoolean urgentScheduled = new AtomicBoolean();
  private final IgniteBiPredicate<UUID, Object> listener = this::received;

  private RoomMessages(Ignite ignite, Admission admission) {
    this.ignite = ignite;
    this.admission = admission;
    thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread created = new Thread(task, "training-day-room");
              created.setDaemon(true);
              return created;
            });
  }

  static RoomMessages start(Ignite ignite, Admission admission) {
    RoomMessages messages = new RoomMessages(ignite, admission);
    ignite.message().localListen(TOPIC, messages.listener);
    admission.onUrgent(messages::urgent);
    var unused =
        messages.thread.scheduleWithFixedDelay(
            () -> messages.send(admission::regularQuestions),
            TURN_MILLIS,
            TURN_MILLIS,
            TimeUnit.MILLISECONDS);
    return messages;
  }

  private void urgent() {
    if (urgentScheduled.compareAndSet(false, true)) {
      try {
        thread.execute(
            () -> {
              urgentScheduled.set(false);
              send(admission::urgentQuestions);
            });
      } catch (RejectedExecutionException closed) {
        LOG.debug("not asked for room, the node stops");
      }
    }
  }

  private void send(Supplier<Map<UUID, RoomQuestion>> questions) {
    try {
      questions
          .get()
          .forEach(
              (node, question) ->
                  send(node, QUESTION, question.settled(), question.wanted(), question.flags()));
    } catch (RuntimeException failure) {
      // The thread must go on: without it no copy is admitted any more.
      LOG.warn("Could not ask for room on other nodes", failure);
    }
  }

  private boolean received(UUID from, Object message) {
    if (message instanceof long[] numbers && numbers.length >= 3) {
      boolean flags = numbers[0] == QUESTION && numbers.length > 3;
      RoomQuestion question = RoomQuestion.of(numbers[1], numbers[2], flags ? numbers[3] : 0);
      if (numbers[0] == QUESTION) {
        long limit = admission.answer(from, question);
        send(from, ANSWER, question.settled(), question.wanted(), limit);
      } else if (numbers[0] == ANSWER && numbers.length == 4) {
        admission.answered(from, question, numbers[3]);
      }
    }
    return true;
  }

  private void send(UUID to, long... message) {
    try {
      ignite.message(ignite.cluster().forNodeId(to)).send(TOPIC, message);
    } catch (IgniteException | IllegalStateException goneOrStopping) {
      LOG.debug("no message to {}: {}", to, goneOrStopping.toString());
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
    try {
      ignite.message().stopLocalListen(TOPIC, listener);
    } catch (IgniteException | IllegalStateException stopping) {
      LOG.debug("still listening: {}", stopping.toString());
    }
  }
}
