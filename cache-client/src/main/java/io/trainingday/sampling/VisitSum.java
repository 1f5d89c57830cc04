package io.trainingday.sampling;

/**
 * Which samples were read, boiled down to what ranks can add up: compared once an epoch with what
 * the plan has, it tells a loop that shards what is sharded already. Immutable.
 *
 * <p>A rank adds what it <em>read</em>, stand-ins left out; all ranks' counts and checksums are
 * added up, by an all-reduce of two 64-bit integers, and the sum is asked for its {@link #verdict}.
 *
 * @param count of samples
 * @param checksum of their indices, whatever their order; wraps
 */
public record VisitSum(long count, long checksum) {
  /** Nothing was read. */
  public static final VisitSum NONE = new VisitSum(0, 0);

  /** How the sum over all ranks compares with the plan. */
  public enum Verdict {
    /** Each sample was read as often as the plan has it. */
    COMPLETE("every sample was read as planned"),
    /** Only one in world size was read. */
    SHARDED_TWICE("each rank read 1/W² of the data: it was sharded twice, take one of the two out"),
    /** Every rank read everything. */
    NOT_SHARDED("each rank read all of the data: it was not sharded, give each rank its own"),
    /** Too few were read, or too many. */
    INCOMPLETE("not as many samples were read as planned"),
    /** As many as planned, but other ones. */
    DIFFERENT("other samples were read than planned");

    private final String text;

    Verdict(String text) {
      this.text = text;
    }

    /** The verdict in a sentence, without figures. */
    public String text() {
      return text;
    }
  }

  /** This and more samples. */
  public VisitSum with(long... indices) {
    long sum = checksum;
    for (long index : indices) {
      sum += Mix.mix(index) >>> Integer.SIZE;
    }
    return new VisitSum(count + indices.length, sum);
  }

  /** The sum of both. */
  public VisitSum plus(VisitSum other) {
    return new VisitSum(count + other.count, checksum + other.checksum);
  }

  /**
   * What became of a plan whose ranks have read this together.
   *
   * @param expected of the steps trained, see {@link EpochPlan#visits}
   */
  public Verdict verdict(VisitSum expected, EpochPlan plan) {
    if (count == expected.count) {
      return checksum == expected.checksum ? Verdict.COMPLETE : Verdict.DIFFERENT;
    }
    long world = plan.worldSize();
    if (world > 1) {
      // Wrappers hand out whole batches, and may fill up the last one.
      if (Math.abs(count * world - expected.count) <= world * plan.globalBatch()) {
        return Verdict.SHARDED_TWICE;
      }
      if (count == world * expected.count) {
        return Verdict.NOT_SHARDED;
      }
    }
    return Verdict.INCOMPLETE;
  }
}
