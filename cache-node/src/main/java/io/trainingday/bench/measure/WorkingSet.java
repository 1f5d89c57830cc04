package io.trainingday.bench.measure;

import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.config.DataSize;
import io.trainingday.processes.HostMemory;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.ParameterException;

/** The samples of each size that one path is measured with: what {@code --working-set} says. */
public final class WorkingSet {
  private static final String OPTION = "--working-set";

  private final ReportOption command;
  private final DataSize size;

  private WorkingSet(ReportOption command, DataSize size) {
    this.command = command;
    this.size = size;
  }

  /**
   * Reads the option.
   *
   * @throws ParameterException in words, also when it is outside {@code min} to {@code max}
   */
  public static WorkingSet parse(ReportOption command, String text, DataSize min, DataSize max) {
    DataSize size;
    try {
      size = DataSize.parse(text);
    } catch (IllegalArgumentException unreadable) {
      throw command.wrong("%s=%s: %s".formatted(OPTION, text, unreadable.getMessage()));
    }
    if (size.compareTo(min) < 0 || size.compareTo(max) > 0) {
      throw command.wrong("%s=%s is outside %s..%s".formatted(OPTION, size, min, max));
    }
    return new WorkingSet(command, size);
  }

  /** All of it. */
  public DataSize size() {
    return size;
  }

  /**
   * So many samples of each size as the working set has room for; a quarter of it for small ones.
   *
   * @param smallBelow bytes of a sample that is not small
   */
  public List<Workload> workloads(int[] sampleBytes, int smallBelow) {
    return Arrays.stream(sampleBytes)
        .mapToObj(
            bytes -> {
              long all = bytes < smallBelow ? size.bytes() / 4 : size.bytes();
              return new Workload(bytes, (int) (all / bytes));
            })
        .toList();
  }

  /**
   * Refuses what takes more than half of this process's heap.
   *
   * @throws ParameterException in words
   */
  public void requireHeap() {
    DataSize heap = DataSize.ofBytes(Runtime.getRuntime().maxMemory());
    if (heap.bytes() / 2 < size.bytes()) {
      throw command.wrong(
          "%s=%s > half of the heap=%s, lower it or raise the heap with TRAINING_DAY_JAVA_OPTS=-Xmx…"
              .formatted(OPTION, size, heap));
    }
  }

  /**
   * Refuses what takes more memory than the host has available, where that is known.
   *
   * @throws ParameterException in words
   */
  public void requireMemory(DataSize needed) {
    HostMemory.available()
        .filter(available -> available.compareTo(needed) < 0)
        .ifPresent(
            available -> {
              throw command.wrong(
                  "%s=%s needs %s of memory > available=%s, lower it"
                      .formatted(OPTION, size, needed, available));
            });
  }
}
