package io.trainingday.bench.measure;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.ReadPath;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;

/** All paths to one workload; closing ends them and what was started for them. */
public final class OpenPaths implements AutoCloseable {
  private final Map<String, ReadPath> paths = new LinkedHashMap<>();
  private final Deque<AutoCloseable> closing = new ArrayDeque<>();

  /** The paths by name, in the order of the report. */
  Map<String, ReadPath> paths() {
    return Collections.unmodifiableMap(paths);
  }

  /** Adds a path, loaded. */
  public void add(String name, ReadPath path) {
    closing.push(path);
    paths.put(name, path);
  }

  /** Takes over something that the paths need; it is closed after those that were added later. */
  public <T extends AutoCloseable> T closing(T needed) {
    closing.push(needed);
    return needed;
  }

  /**
   * Closes what was added last first, and all of it whatever happens.
   *
   * @throws BenchException if something could not be closed
   */
  @Override
  public void close() {
    BenchException first = null;
    while (!closing.isEmpty()) {
      try {
        closing.pop().close();
      } catch (Exception failure) {
        if (first == null) {
          first =
              failure instanceof BenchException ours
                  ? ours
                  : new BenchException("could not stop a path: " + failure.getMessage(), failure);
        } else {
          first.addSuppressed(failure);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
