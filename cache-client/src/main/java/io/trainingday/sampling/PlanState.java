package io.trainingday.sampling;

import io.trainingday.sampling.EpochPlan.Order;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How far training has come: what belongs into a checkpoint, 64 bytes whatever the world size.
 *
 * @param order of the samples
 * @param sliced whether each rank read a slice of its own; else all read windows together
 * @param seed of the shuffle
 * @param epoch 0–2³¹ − 1
 * @param samples of the data set, 1–2⁴⁸
 * @param consumed samples of the epoch that have been trained on, by all ranks, or by each one
 *     where it is sliced; {@code samples} when the epoch is over
 * @param dataset a number for the data set's name, see {@link #datasetOf}; 0 if it was not told
 * @param hosts a number for the ranks' hosts and their ownership where it is sliced, else 0
 */
public record PlanState(
    Order order,
    boolean sliced,
    long seed,
    long epoch,
    long samples,
    long consumed,
    long dataset,
    long hosts) {
  /** How long {@link #toBytes} is. */
  public static final int BYTES = 64;

  private static final int MAGIC = 0x45504454;
  private static final int VERSION = 1;
  private static final int CHECK_AT = BYTES - Long.BYTES;
  private static final int WINDOWS = 1;
  private static final int SLICES = 2;

  public PlanState {
    EpochPlan.Builder.requireSamples(samples);
    EpochPlan.Builder.requireEpoch(epoch);
    if (consumed < 0 || consumed > samples) {
      throw new IllegalArgumentException("consumed=%d, allowed: 0–%d".formatted(consumed, samples));
    }
  }

  /** The number that stands for a data set's name in a state. */
  public static long datasetOf(String name) {
    return name.isEmpty() ? 0 : OwnershipSnapshot.digest(OwnershipSnapshot.utf8(name));
  }

  /** Whether nothing is left of the epoch. */
  public boolean isEnd() {
    return consumed == samples;
  }

  /** The bytes that a checkpoint keeps, see {@code contract/plan.md}. */
  public byte[] toBytes() {
    ByteBuffer out = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(MAGIC).putShort((short) VERSION);
    out.put((byte) order.code()).put((byte) (sliced ? SLICES : WINDOWS));
    out.putLong(seed).putLong(epoch).putLong(samples).putLong(consumed);
    out.putLong(dataset).putLong(hosts).putLong(check(out));
    return out.array();
  }

  /**
   * Reads what {@link #toBytes} wrote, here or in Python.
   *
   * @throws IllegalArgumentException if it is nothing of the kind, or was changed
   */
  public static PlanState parse(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw damaged("%d bytes, a state has %d".formatted(bytes.length, BYTES));
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (in.getLong(CHECK_AT) != check(in)) {
      throw damaged("it does not match its check word");
    }
    int magic = in.getInt();
    int version = in.getShort();
    int order = in.get();
    int kind = in.get();
    if (magic != MAGIC || version != VERSION || kind < WINDOWS || kind > SLICES) {
      throw damaged(
          "magic=%08x version=%d kind=%d, not that of a state".formatted(magic, version, kind));
    }
    try {
      return new PlanState(
          Order.of(order),
          kind == SLICES,
          in.getLong(),
          in.getLong(),
          in.getLong(),
          in.getLong(),
          in.getLong(),
          in.getLong());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("state is damaged: " + e.getMessage(), e);
    }
  }

  private static long check(ByteBuffer state) {
    long check = 0;
    for (int at = 0; at < CHECK_AT; at += Long.BYTES) {
      check = Mix.mix(check ^ state.getLong(at));
    }
    return check;
  }

  private static IllegalArgumentException damaged(String why) {
    return new IllegalArgumentException("state is damaged: " + why);
  }
}
