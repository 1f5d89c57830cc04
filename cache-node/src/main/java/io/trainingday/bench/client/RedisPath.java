package io.trainingday.bench.client;

import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.Workload;
import java.nio.ByteBuffer;
import java.util.List;
import redis.clients.jedis.Jedis;

/** Asks a Redis server for a batch and copies its values. */
public final class RedisPath extends BufferedPath {
  private final RedisServer server;
  private final Jedis jedis;

  private RedisPath(RedisServer server, Jedis jedis, Target target) {
    super(target);
    this.server = server;
    this.jedis = jedis;
  }

  /** Starts a server of its own and loads it; there must be one on the PATH. */
  public static RedisPath start(Workload workload, Target target) {
    RedisServer server = RedisServer.start(RedisServer.executable().orElseThrow());
    try {
      Jedis jedis = server.connect();
      for (long i = 0; i < workload.count(); i++) {
        jedis.set(key(i), workload.sample(i));
      }
      return new RedisPath(server, jedis, target);
    } catch (RuntimeException failure) {
      server.close();
      throw failure;
    }
  }

  /** Whether there is a server on the PATH. */
  public static boolean isPossible() {
    return RedisServer.executable().isPresent();
  }

  private static byte[] key(long index) {
    return ByteBuffer.allocate(Long.BYTES).putLong(index).array();
  }

  @Override
  public void read(long[] indices) {
    if (indices.length == 1) {
      put(0, indices[0], jedis.get(key(indices[0])));
      return;
    }
    byte[][] keys = new byte[indices.length][];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = key(indices[i]);
    }
    List<byte[]> samples = jedis.mget(keys);
    for (int i = 0; i < indices.length; i++) {
      put(i, indices[i], samples.get(i));
    }
  }

  @Override
  public void close() {
    jedis.close();
    server.close();
  }
}
