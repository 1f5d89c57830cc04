package io.trainingday.client;

import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What a data set is: its name, the preprocessing its samples went through, and the source they
 * come from. Two trainers share samples when all of it is equal; a source that differs is refused.
 */
public final class DatasetSpec {
  private static final int MAX_NAME_BYTES = 255;
  private static final int MAX_PIPELINE_BYTES = 32 << 10;
  private static final int MAX_DIGEST_BYTES = 1 << 10;
  private static final int MAX_BACKUPS = 2;

  private final String name;
  private final String pipeline;
  private final long sourceLength;
  private final String sourceDigest;
  private final @Nullable Validation validation;
  private final OptionalInt backups;
  private final @Nullable LongUnaryOperator stamps;

  private DatasetSpec(Builder builder, String pipeline, long sourceLength) {
    this.name = builder.name;
    this.pipeline = pipeline;
    this.sourceLength = sourceLength;
    this.sourceDigest = builder.sourceDigest == null ? "" : builder.sourceDigest;
    this.stamps = builder.stamps;
    this.validation =
        builder.validation == null && stamps != null ? Validation.STAMP : builder.validation;
    this.backups = builder.backups == null ? OptionalInt.empty() : OptionalInt.of(builder.backups);
  }

  /** How the node proves a record before it serves it. */
  public enum Validation {
    /** Its checksum, on every read. */
    CHECKSUM,
    /** Its checksum, and that its source still looks as it did, see {@link Builder#stamps}. */
    STAMP,
    /** Not at all. */
    NONE
  }

  /**
   * Starts a spec.
   *
   * @param name of the data set, 1–255 bytes of UTF-8
   */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  public String name() {
    return name;
  }

  /** The pipeline fingerprint's full text. */
  public String pipeline() {
    return pipeline;
  }

  /** How many samples the source has, ≥ 0. */
  public long sourceLength() {
    return sourceLength;
  }

  /** What the source is made of, empty where nobody said. */
  public String sourceDigest() {
    return sourceDigest;
  }

  /** Null takes what is set for the data set already, which is {@code CHECKSUM} by default. */
  public @Nullable Validation validation() {
    return validation;
  }

  /**
   * On how many nodes beside the first each record is kept; empty takes what is set for the data
   * set already, which is 0 by default.
   */
  public OptionalInt backups() {
    return backups;
  }

  /** What the source of a sample looks like now, null where nobody says. */
  @Nullable LongUnaryOperator stamps() {
    return stamps;
  }

  @Override
  public String toString() {
    return "data set '%s' (%d samples)".formatted(name, sourceLength);
  }

  /** Builds a {@link DatasetSpec}; an option set twice is refused. Not thread-safe. */
  public static final class Builder {
    private final String name;
    private @Nullable String pipeline;
    private @Nullable Long sourceLength;
    private @Nullable String sourceDigest;
    private @Nullable Validation validation;
    private @Nullable Integer backups;
    private @Nullable LongUnaryOperator stamps;

    private Builder(String name) {
      this.name = checkLength("name", name, 1, MAX_NAME_BYTES);
    }

    /**
     * The identity of the preprocessing; required.
     *
     * @param fingerprint everything that decides what comes out of the loader for an index: code,
     *     arguments, constants, library versions; never addresses, paths or times. 1 B–32 KiB of
     *     UTF-8
     */
    public Builder pipeline(String fingerprint) {
      checkUnset("pipeline", pipeline, fingerprint);
      pipeline = checkLength("pipeline", fingerprint, 1, MAX_PIPELINE_BYTES);
      return this;
    }

    /** How many samples there are, ≥ 0; required. Indices run from 0 to one less. */
    public Builder sourceLength(long samples) {
      checkUnset("sourceLength", sourceLength, samples);
      if (samples < 0) {
        throw new IllegalArgumentException(
            "sourceLength=%d, allowed: 0 or more".formatted(samples));
      }
      sourceLength = samples;
      return this;
    }

    /**
     * What the source is made of, such as a digest of its file list; at most 1 KiB of UTF-8, empty
     * by default.
     */
    public Builder sourceDigest(String digest) {
      checkUnset("sourceDigest", sourceDigest, digest);
      sourceDigest = checkLength("sourceDigest", digest, 0, MAX_DIGEST_BYTES);
      return this;
    }

    /** How the node proves records; by default what is set for the data set already. */
    public Builder validation(Validation value) {
      checkUnset("validation", validation, value);
      validation = value;
      return this;
    }

    /**
     * On how many nodes beside the first each record is kept, 0 to 2; by default what is set for
     * the data set already. With 0, what a dead node held is loaded again.
     */
    public Builder backups(int count) {
      checkUnset("backups", backups, count);
      if (count < 0 || count > MAX_BACKUPS) {
        throw new IllegalArgumentException(
            "backups=%d, allowed: 0 to %d".formatted(count, MAX_BACKUPS));
      }
      backups = count;
      return this;
    }

    /**
     * What the source of each sample looks like now: a number made of its modification time and
     * size, of an etag or of a checksum. It is asked with every read, before the load of what is
     * missing, so it should be quick; a record made of a source that looked otherwise is loaded
     * anew. Sets the validation to {@link Validation#STAMP} unless that is set.
     *
     * @param stampOfIndex called on the reading thread; what it throws ends the read as a {@link
     *     SampleLoadException}
     */
    public Builder stamps(LongUnaryOperator stampOfIndex) {
      checkUnset("stamps", stamps, stampOfIndex);
      stamps = stampOfIndex;
      return this;
    }

    /**
     * The spec.
     *
     * @throws IllegalStateException if a required option is missing
     */
    public DatasetSpec build() {
      if (pipeline == null) {
        throw new IllegalStateException("data set '%s': set pipeline(…)".formatted(name));
      }
      if (sourceLength == null) {
        throw new IllegalStateException("data set '%s': set sourceLength(…)".formatted(name));
      }
      if (validation == Validation.STAMP && stamps == null) {
        throw new IllegalStateException(
            "data set '%s': validation=STAMP needs stamps, set stamps(…)".formatted(name));
      }
      return new DatasetSpec(this, pipeline, sourceLength);
    }

    private static void checkUnset(String option, @Nullable Object old, Object value) {
      if (old != null) {
        throw new IllegalStateException("%s is set twice: %s and %s".formatted(option, old, value));
      }
    }

    private static String checkLength(String option, String text, int least, int most) {
      int bytes = text.getBytes(StandardCharsets.UTF_8).length;
      if (bytes < least || bytes > most) {
        throw new IllegalArgumentException(
            "%s='%.80s' has %d bytes of UTF-8, allowed: %d to %d"
                .formatted(option, text, bytes, least, most));
      }
      return text;
    }
  }
}
