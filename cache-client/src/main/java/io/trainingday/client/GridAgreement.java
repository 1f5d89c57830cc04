package io.trainingday.client;

import io.trainingday.lane.AgreeMessage;
import io.trainingday.lane.LaneException;
import io.trainingday.sampling.OwnershipSnapshot;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One epoch's agreement through the grid, as {@code contract/plan.md} has it: each rank says where
 * it runs, the first one adds who owns what, and all take what the grid has then. For one thread.
 */
final class GridAgreement {
  private static final long PAUSE_NANOS = 100_000_000;
  private static final byte[] NOTHING = new byte[0];

  /** Stands for a host that is not known: an empty value would offer nothing. */
  private static final String UNKNOWN = "?";

  private final TrainingCache cache;
  private final RankGroup group;
  private final String prefix;
  private final long deadlineNanos;
  private String trouble = "";

  GridAgreement(TrainingCache cache, RankGroup group, long epoch) {
    this.cache = cache;
    this.group = group;
    this.prefix = "plan/%s/%s/%d/".formatted(group.job(), group.attempt(), epoch);
    this.deadlineNanos = System.nanoTime() + group.deadline().toNanos();
  }

  /**
   * What all ranks have agreed on.
   *
   * @param snapshot who owns what now, asked for on the first rank alone
   */
  EpochOwnership reach(Supplier<OwnershipSnapshot> snapshot) {
    String own = "host/" + group.rank();
    byte[] here = utf8(hostId());
    byte[] kept = get(own, "this rank could not say where it runs", () -> here);
    if (!Arrays.equals(here, kept)) {
      throw new CacheException(
          "%s%s is host '%s', this rank runs on '%s': another run had job=%s and attempt=%s within the hour, take another attempt"
              .formatted(
                  prefix,
                  own,
                  new String(kept, StandardCharsets.UTF_8),
                  new String(here, StandardCharsets.UTF_8),
                  group.job(),
                  group.attempt()));
    }
    if (group.rank() > 0) {
      return decode(get("ownership", "rank 0 has not offered it", () -> NOTHING));
    }
    List<String> hosts = new ArrayList<>();
    for (int rank = 0; rank < group.worldSize(); rank++) {
      byte[] host = get("host/" + rank, "rank " + rank + " has not offered it", () -> NOTHING);
      String text = new String(host, StandardCharsets.UTF_8);
      hosts.add(text.equals(UNKNOWN) ? "" : text);
    }
    byte[] offer = encode(new EpochOwnership(snapshot.get(), hosts));
    return decode(get("ownership", "it could not be offered", () -> offer));
  }

  private String hostId() {
    Session session = cache.attachment().session();
    String host = session == null ? "" : session.limits().hostId();
    return host.isEmpty() ? UNKNOWN : host;
  }

  /** Offers and asks until there is something, as long as the deadline allows. */
  private byte[] get(String name, String missing, Supplier<byte[]> offer) {
    String key = prefix + name;
    while (true) {
      byte[] value = ask(key, offer);
      if (value != null && value.length > 0) {
        return value;
      }
      if (value != null) {
        trouble = missing;
      }
      long left = deadlineNanos - System.nanoTime();
      if (left <= 0) {
        throw new CacheException(
            "no agreement on %s within %d ms: %s; start all %d ranks with the same job and attempt, or pass them the ownership"
                .formatted(key, group.deadline().toMillis(), trouble, group.worldSize()));
      }
      if (Thread.currentThread().isInterrupted()) {
        throw new CacheException("interrupted while waiting for agreement on " + key);
      }
      LockSupport.parkNanos(Math.min(PAUSE_NANOS, left));
    }
  }

  /** What the grid has, null when it cannot say now. */
  private byte @Nullable [] ask(String key, Supplier<byte[]> offer) {
    cache.checkOpen();
    Session session = cache.attachment().session();
    if (session == null) {
      trouble = "no cache node answers";
      return null;
    }
    try {
      AgreeMessage.Request request = new AgreeMessage.Request(key, offer.get());
      return ((AgreeMessage.Reply) session.call(request).message()).value();
    } catch (IOException e) {
      trouble = String.valueOf(e.getMessage());
      return null;
    } catch (LaneException e) {
      if (!e.code().retryable()) {
        throw new CacheException("no agreement on %s: %s".formatted(key, e.getMessage()), e);
      }
      trouble = String.valueOf(e.getMessage());
      return null;
    }
  }

  private byte[] encode(EpochOwnership agreed) {
    byte[] snapshot = agreed.snapshot().toBytes();
    int size = Integer.BYTES + snapshot.length + Integer.BYTES;
    for (String host : agreed.rankHosts()) {
      size += Integer.BYTES + utf8(host).length;
    }
    if (size > AgreeMessage.MAX_VALUE_BYTES) {
      throw new CacheException(
          "ownership and hosts of %d ranks take %d bytes > %d, pass them to the ranks some other way"
              .formatted(group.worldSize(), size, AgreeMessage.MAX_VALUE_BYTES));
    }
    ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(snapshot.length).put(snapshot).putInt(agreed.rankHosts().size());
    for (String host : agreed.rankHosts()) {
      byte[] text = utf8(host);
      out.putInt(text.length).put(text);
    }
    return out.array();
  }

  private EpochOwnership decode(byte[] bytes) {
    try {
      ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      OwnershipSnapshot snapshot = OwnershipSnapshot.parse(take(in));
      int world = in.getInt();
      if (world != group.worldSize()) {
        throw new CacheException(
            "%sownership is of world size=%d, this rank's is %d; start all ranks with the same world size, job and attempt"
                .formatted(prefix, world, group.worldSize()));
      }
      List<String> hosts = new ArrayList<>();
      for (int rank = 0; rank < world; rank++) {
        hosts.add(new String(take(in), StandardCharsets.UTF_8));
      }
      return new EpochOwnership(snapshot, hosts);
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      throw new CacheException(
          "%sownership is not what a rank 0 offers: %s".formatted(prefix, e.getMessage()), e);
    }
  }

  private static byte[] take(ByteBuffer in) {
    int length = in.getInt();
    if (length < 0 || length > in.remaining()) {
      throw new IllegalArgumentException("a length of " + Integer.toUnsignedLong(length));
    }
    byte[] bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
