package io.trainingday.node.versions;

/**
 * What a data set is made of.
 *
 * @param length samples, from 0
 * @param digest what tells this source from another of equal length: of the file list, of a
 *     subset's indices, or what the user states; may be empty, at most 1 KiB of UTF-8
 */
public record SourceIdentity(long length, String digest) {
  public SourceIdentity {
    if (length < 0) {
      throw Checks.malformed("source length=%d < 0, give the number of samples".formatted(length));
    }
    Checks.text("source digest", digest, 0, Checks.MAX_DIGEST_BYTES);
  }

  @Override
  public String toString() {
    return "length=%d digest=%s".formatted(length, digest.isEmpty() ? "(none)" : digest);
  }
}
