package io.trainingday.client;

/** A loader failed for one sample. The batch's other samples have been loaded and kept. */
public final class SampleLoadException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final long index;

  SampleLoadException(String dataset, long index, Throwable cause) {
    super(
        "sample index=%d of data set '%s' could not be loaded: %s".formatted(index, dataset, cause),
        cause);
    this.index = index;
  }

  /** Which sample. */
  public long index() {
    return index;
  }
}
