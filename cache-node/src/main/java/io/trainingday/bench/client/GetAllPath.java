package io.trainingday.bench.client;

import io.trainingday.bench.path.BufferedPath;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** Asks a cache for a batch as a map and copies its values; for a batch of one, for the value. */
public final class GetAllPath extends BufferedPath {
  private final Function<Long, byte[]> get;
  private final Function<Set<Long>, Map<Long, byte[]>> getAll;
  private final Runnable close;

  /**
   * @param get reads one sample, null if there is none
   * @param getAll reads many
   * @param close ends the client
   */
  public GetAllPath(
      Target target,
      Function<Long, byte[]> get,
      Function<Set<Long>, Map<Long, byte[]>> getAll,
      Runnable close) {
    super(target);
    this.get = get;
    this.getAll = getAll;
    this.close = close;
  }

  @Override
  public void read(long[] indices) {
    if (indices.length == 1) {
      put(0, indices[0], get.apply(indices[0]));
      return;
    }
    Set<Long> keys = new HashSet<>(2 * indices.length);
    for (long index : indices) {
      keys.add(index);
    }
    Map<Long, byte[]> samples = getAll.apply(keys);
    for (int i = 0; i < indices.length; i++) {
      put(i, indices[i], samples.get(indices[i]));
    }
  }

  @Override
  public void close() {
    close.run();
  }
}
