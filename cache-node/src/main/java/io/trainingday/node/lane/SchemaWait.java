package io.trainingday.node.lane;

import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.fill.InFlightBytes;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * The fills of one connection that wait until it is known what records of their data set look like.
 * That takes a transaction of the grid, one for all that wait, and it may take long: so their bytes
 * count as in flight, and each is BUSY while the trainer still waits for an answer. On the
 * connection's thread.
 */
final class SchemaWait {
  private final LaneServer server;
  private final Connection connection;
  private final FillIntake fills;
  private final Map<ServedDataset, Deque<Waiting>> waiting = new HashMap<>();

  /** One that is not answered yet. */
  private final class Waiting {
    private final ServedDataset dataset;
    private final long requestId;
    private final Fill fill;
    private final FillIntake.Loaded loaded;
    private final boolean counted;
    private final Future<?> timeout;

    Waiting(
        ServedDataset dataset,
        long requestId,
        Fill fill,
        FillIntake.Loaded loaded,
        boolean counted) {
      this.dataset = dataset;
      this.requestId = requestId;
      this.fill = fill;
      this.loaded = loaded;
      this.counted = counted;
      timeout =
          connection
              .channel()
              .eventLoop()
              .schedule(
                  this::giveUp,
                  server.limits().answerTimeoutMillis() * 7L / 8,
                  TimeUnit.MILLISECONDS);
    }

    private void giveUp() {
      Objects.requireNonNull(waiting.get(dataset)).remove(this);
      end();
      connection.send(requestId, busy());
    }

    void end() {
      timeout.cancel(false);
      if (counted) {
        inFlight().give(loaded.bytes().length);
      }
    }
  }

  SchemaWait(LaneServer server, Connection connection, FillIntake fills) {
    this.server = server;
    this.connection = connection;
    this.fills = fills;
  }

  /** Fills that wait now. */
  int count() {
    return waiting.values().stream().mapToInt(Deque::size).sum();
  }

  /** Answers when the schema is known, or BUSY at once when there is no room to wait. */
  void await(ServedDataset dataset, long requestId, Fill fill, FillIntake.Loaded loaded) {
    // One that never fits is dropped with the right word when its turn comes.
    boolean counted = inFlight().couldTake(loaded.bytes().length);
    if (counted && !inFlight().tryTake(loaded.bytes().length)) {
      connection.send(requestId, busy());
      return;
    }
    add(new Waiting(dataset, requestId, fill, loaded, counted));
  }

  private void add(Waiting one) {
    Deque<Waiting> others = waiting.get(one.dataset);
    if (others == null) {
      waiting.put(one.dataset, new ArrayDeque<>(List.of(one)));
      learn(one);
    } else {
      others.add(one);
    }
  }

  private void learn(Waiting first) {
    ServedDataset dataset = first.dataset;
    long family = first.loaded.layout().familyHash();
    connection.runElsewhere(
        server.learning(),
        () -> {
          dataset.learnSchema(first.loaded.layout());
          return dataset;
        },
        learned -> settle(dataset),
        failure -> refuse(dataset, family, failure));
  }

  private void settle(ServedDataset dataset) {
    Deque<Waiting> all = Objects.requireNonNull(waiting.remove(dataset));
    for (Waiting one : all) {
      try {
        if (dataset.knowsSchema(one.loaded.layout())) {
          one.end();
          connection.send(one.requestId, fills.submit(dataset, one.fill, one.loaded.bytes()));
        } else {
          add(one); // It is of another schema, or everything was published anew meanwhile.
        }
      } catch (RuntimeException e) {
        one.end();
        connection.refuse(one.requestId, e);
      }
    }
  }

  /** Those that are like the one that failed would fail alike. */
  private void refuse(ServedDataset dataset, long family, Exception failure) {
    Deque<Waiting> all = Objects.requireNonNull(waiting.get(dataset));
    for (Iterator<Waiting> each = all.iterator(); each.hasNext(); ) {
      Waiting one = each.next();
      if (one.loaded.layout().familyHash() == family) {
        each.remove();
        one.end();
        connection.refuse(one.requestId, failure);
      }
    }
    settle(dataset);
  }

  /** The trainer is gone: what waits is forgotten. */
  void close() {
    waiting.values().forEach(all -> all.forEach(Waiting::end));
    waiting.clear();
  }

  private InFlightBytes inFlight() {
    return server.fills().inFlight();
  }

  private static FillReply busy() {
    return new FillReply(FillResult.BUSY, FillIntake.reason(Submitted.BUSY));
  }
}
