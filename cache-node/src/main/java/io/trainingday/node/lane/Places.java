package io.trainingday.node.lane;

import io.trainingday.node.store.RecordSink;
import org.jspecify.annotations.Nullable;

/**
 * Where records that come from another node are laid down. Used by one thread at a time, which is
 * not the connection's; what it writes to must not move meanwhile.
 */
interface Places extends AutoCloseable {
  /** What became of one sample that another node was asked for. */
  enum Outcome {
    UNANSWERED,
    /** Its record lies where it belongs. */
    LANDED,
    /** Its head is known, its record is not here yet. */
    HEAD,
    /** Its record has another layout than was guessed, and was let go by. */
    UNFIT,
    DAMAGED,
    MISS,
    LEASED_TO_YOU,
    LEASED_TO_OTHER,
    NOT_OWNER
  }

  /** As {@link io.trainingday.node.peer.Landing#begin}, for sample {@code i} of the batch. */
  @Nullable RecordSink begin(int i, int recordBytes, int sentBytes);

  /** Looks at what the sink has taken. */
  Outcome end(int i);

  /** Gives back what it needed; nothing is written any more. */
  @Override
  default void close() {}
}
