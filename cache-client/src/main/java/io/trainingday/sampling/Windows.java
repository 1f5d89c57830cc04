package io.trainingday.sampling;

import io.trainingday.sampling.EpochPlan.Tail;
import java.util.Arrays;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Each step reads the next window of one order, whoever reads what of it. Immutable.
 *
 * <p>Without ranks' hosts the samples of a window are dealt out in turn. With them each host takes
 * what it owns as long as it has room, copy after copy, and the rest fills up what room is left.
 */
final class Windows implements Shares {
  private static final int NO_HOST = -1;

  private final LongUnaryOperator order;
  private final long samples;
  private final long start;
  private final int world;
  private final int batch;
  private final Tail tail;
  private final long steps;
  private final @Nullable Ranks ranks;
  private final double predictedLocalShare;

  /**
   * @param batch of all ranks
   * @param owners null: samples are dealt out in turn
   * @param ranks to predict with, null if they are not known
   */
  Windows(
      LongUnaryOperator order,
      long samples,
      long start,
      int world,
      int batch,
      Tail tail,
      @Nullable Ranks owners,
      @Nullable Ranks ranks) {
    this.order = order;
    this.samples = samples;
    this.start = start;
    this.world = world;
    this.batch = batch;
    this.tail = tail;
    this.ranks = owners;
    long left = samples - start;
    steps = tail == Tail.DROP ? left / batch : (left + batch - 1) / batch;
    predictedLocalShare = ranks == null ? Double.NaN : predict(owners != null, ranks);
  }

  private double predict(boolean exact, Ranks known) {
    double local = 0;
    for (int host = 0; host < known.hosts(); host++) {
      int room = room(known, host, batch);
      local +=
          exact
              ? Binomial.expectedMin(batch, known.primaryShare(host), room)
              : room * known.copyShare(host);
    }
    return local / batch;
  }

  @Override
  public double predictedLocalShare() {
    return predictedLocalShare;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public int size(long step) {
    long left = samples - start - step * batch;
    if (left >= batch) {
      return batch;
    }
    long size = tail == Tail.PAD ? (left + world - 1) / world * world : left;
    return (int) Math.min(size, batch);
  }

  @Override
  public int count(long step, int rank) {
    return count(size(step), rank);
  }

  private int count(int size, int rank) {
    return size / world + (rank < size % world ? 1 : 0);
  }

  @Override
  public long consumed(long done) {
    return start + done * batch;
  }

  @Override
  public long standIn(long step, int rank) {
    return at(start + step * batch);
  }

  @Override
  public long[] all(long step) {
    long first = start + step * batch;
    long[] window = new long[size(step)];
    for (int j = 0; j < window.length; j++) {
      window[j] = at(first + j);
    }
    return window;
  }

  private long at(long position) {
    return order.applyAsLong(position < samples ? position : position % samples);
  }

  @Override
  public long[] indices(long step, int rank) {
    return ranks == null ? inTurn(step, rank) : owned(ranks, all(step), rank);
  }

  private long[] inTurn(long step, int rank) {
    long first = start + step * batch + rank;
    long[] mine = new long[count(step, rank)];
    for (int k = 0; k < mine.length; k++) {
      mine[k] = at(first + (long) k * world);
    }
    return mine;
  }

  private long[] owned(Ranks known, long[] window, int rank) {
    char[] hosts = hosts(known, window);
    int host = known.hostOf(rank);
    int place = known.placeOf(rank);
    int ranksThere = known.ranksOn(host).length;
    long[] mine = new long[count(window.length, rank)];
    int found = 0;
    int turn = 0;
    for (int j = 0; j < window.length; j++) {
      if (hosts[j] != host) {
        continue;
      }
      if (turn == place) {
        mine[found++] = window[j];
      }
      turn = turn + 1 == ranksThere ? 0 : turn + 1;
    }
    return mine;
  }

  /** By place in the window, the host that reads the sample. */
  private char[] hosts(Ranks known, long[] window) {
    char[] hosts = new char[window.length];
    Arrays.fill(hosts, (char) NO_HOST);
    int[] room = new int[known.hosts()];
    for (int host = 0; host < room.length; host++) {
      room[host] = room(known, host, window.length);
    }
    for (int copy = 0; copy < known.copies(); copy++) {
      for (int j = 0; j < window.length; j++) {
        if (hosts[j] == (char) NO_HOST) {
          int host = known.owner(known.partitionOf(window[j]), copy);
          if (host >= 0 && room[host] > 0) {
            room[host]--;
            hosts[j] = (char) host;
          }
        }
      }
    }
    int next = 0;
    for (int j = 0; j < window.length; j++) {
      if (hosts[j] == (char) NO_HOST) {
        while (room[next] == 0) {
          next++;
        }
        room[next]--;
        hosts[j] = (char) next;
      }
    }
    return hosts;
  }

  private int room(Ranks known, int host, int size) {
    int room = 0;
    for (int rank : known.ranksOn(host)) {
      room += count(size, rank);
    }
    return room;
  }
}
