package io.trainingday.node.consistency;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a process did, as one line of its log. Times are {@link System#nanoTime}, which all
 * processes of a Linux host share.
 *
 * <p>The test numbers the states of its source: 0 at the start, then one more with each publish.
 * Content made from the source says which sample it is of, and the number of the publish that
 * changed that sample last.
 */
public sealed interface Operation {
  /** The time of what has not happened. */
  long NEVER = Long.MAX_VALUE;

  /**
   * A publish, and before it the change of the source it told of.
   *
   * @param startNanos before the source was changed
   * @param returnNanos after the publish returned; {@link #NEVER} if it failed, or its process died
   * @param version the source's number from then on
   * @param changed the samples that changed, null for all
   */
  record Publish(long startNanos, long returnNanos, long version, @Nullable Changed changed)
      implements Operation {
    /** A publish of some samples. */
    public static Publish of(long startNanos, long returnNanos, long version, long... changed) {
      return new Publish(startNanos, returnNanos, version, new Changed(changed));
    }

    /** A publish of all samples. */
    public static Publish ofAll(long startNanos, long returnNanos, long version) {
      return new Publish(startNanos, returnNanos, version, null);
    }
  }

  /** Some samples. */
  final class Changed {
    private final long[] indices;

    Changed(long[] indices) {
      this.indices = indices.clone();
      Arrays.sort(this.indices);
    }

    long[] indices() {
      return indices.clone();
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Changed changed && Arrays.equals(indices, changed.indices);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(indices);
    }

    @Override
    public String toString() {
      return Arrays.stream(indices).mapToObj(Long::toString).collect(Collectors.joining(","));
    }
  }

  /**
   * A sample that was read, from the cache or from the origin.
   *
   * @param startNanos before the read was asked for
   * @param endNanos after it was there
   * @param index the sample asked for
   * @param contentIndex the sample the content says it is of
   * @param contentVersion the version the content says it was made from
   */
  record Read(long startNanos, long endNanos, long index, long contentIndex, long contentVersion)
      implements Operation {}

  /** One line without its end. */
  default String toLine() {
    if (this instanceof Publish publish) {
      return "P %d %d %d %s"
          .formatted(
              publish.startNanos(),
              publish.returnNanos(),
              publish.version(),
              publish.changed() == null ? "all" : publish.changed());
    }
    Read read = (Read) this;
    return "R %d %d %d %d %d"
        .formatted(
            read.startNanos(),
            read.endNanos(),
            read.index(),
            read.contentIndex(),
            read.contentVersion());
  }

  /** The operation of a line. */
  static Operation parse(String line) {
    String[] words = line.split(" ", -1);
    if (words[0].equals("P") && words.length == 5) {
      Changed changed =
          words[4].equals("all")
              ? null
              : new Changed(
                  Arrays.stream(words[4].split(","))
                      .filter(word -> !word.isEmpty())
                      .mapToLong(Long::parseLong)
                      .toArray());
      return new Publish(number(words[1]), number(words[2]), number(words[3]), changed);
    }
    if (words[0].equals("R") && words.length == 6) {
      return new Read(
          number(words[1]), number(words[2]), number(words[3]), number(words[4]), number(words[5]));
    }
    throw new IllegalArgumentException("no line of a log: " + line);
  }

  private static long number(String word) {
    return Long.parseLong(word);
  }
}
