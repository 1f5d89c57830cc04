package io.trainingday.node.peer;

import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.store.RecordSink;
import org.jspecify.annotations.Nullable;

/**
 * Where the answer to one {@link PeerCall} goes as it arrives. Called on the connection's thread,
 * one call at a time, and never again once {@link PeerCall#cancel} has returned: until then the
 * memory its sinks write to must stay. Must be quick, must not throw and must not cancel its own
 * call.
 *
 * <p>Every sample is either announced by {@link #begin} and, when its bytes were given, closed by
 * {@link #landed}, or told by {@link #missing}; those of an answer that breaks off never are.
 */
public interface Landing {
  /**
   * A record follows.
   *
   * @param position of the sample in the request
   * @param recordBytes of the whole record
   * @param sentBytes that follow: all of it, or its head where heads were asked for
   * @return takes the bytes by {@link RecordSink#copy}; its {@code begin} is not called. Null lets
   *     them go by
   */
  @Nullable RecordSink begin(int position, int recordBytes, int sentBytes);

  /** All bytes of the record that was announced last were given to its sink, if it had one. */
  void landed(int position);

  /**
   * There is no record.
   *
   * @param lease the number of the lease at the owner, 0 unless it is LEASED_TO_YOU
   */
  void missing(int position, PeerStatus status, long lease);

  /**
   * The last call: nothing follows.
   *
   * @param complete whether every sample was answered
   */
  void ended(boolean complete);
}
