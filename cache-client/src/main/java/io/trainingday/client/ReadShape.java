package io.trainingday.client;

/** How the samples of a batch lie in memory. */
public enum ReadShape {
  /** Each sample whole, as a record of its own. Samples may differ in everything. */
  RECORDS,

  /**
   * Each field of all samples as one contiguous array of shape {@code (B, …)}. All samples must
   * have the same field names, dtypes and shapes.
   */
  COLLATED,

  /**
   * Each field of all samples as one array of values with an offset and a shape per sample. All
   * samples must have the same field names, dtypes and ranks.
   */
  RAGGED
}
