package io.trainingday.bench.measure;

import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import java.util.ArrayList;
import java.util.List;
import org.HdrHistogram.Histogram;

/** Measures one path with batches of one size, slice by slice. */
final class Gauge {
  private static final double NANOS_PER_MICRO = 1e3;
  private static final double NANOS_PER_SECOND = 1e9;
  private static final int DIGITS = 3;
  private static final int MIN_BATCHES = 3;

  private final String name;
  private final ReadPath path;
  private final Workload workload;
  private final long[] indices;
  private final Histogram nanos = new Histogram(DIGITS);
  private final List<Double> rates = new ArrayList<>();
  private long inlineBefore;

  Gauge(String name, ReadPath path, Workload workload, int batch) {
    this.name = name;
    this.path = path;
    this.workload = workload;
    this.indices = new long[batch];
  }

  /** Reads without measuring, then proves the last batch right. */
  void warmUp(long[] order, long sliceNanos) {
    slice(order, sliceNanos);
    workload.verify(name, path, indices);
    inlineBefore = path.inlineBatches();
    nanos.reset();
    rates.clear();
  }

  /**
   * One round: reads batches in the given order, over and over, for the given time and at least
   * three of them. Only the reads are timed.
   */
  void slice(long[] order, long sliceNanos) {
    long spent = 0;
    long batches = 0;
    int at = 0;
    while (spent < sliceNanos || batches < MIN_BATCHES) {
      for (int i = 0; i < indices.length; i++) {
        indices[i] = order[at];
        at = at + 1 == order.length ? 0 : at + 1;
      }
      long start = System.nanoTime();
      path.read(indices);
      long took = System.nanoTime() - start;
      nanos.recordValue(took);
      spent += took;
      batches++;
    }
    double bytes = (double) (batches * indices.length) * workload.sampleBytes();
    rates.add(bytes / spent * NANOS_PER_SECOND);
  }

  /** What the rounds gave; proves once more that the path delivers what it should. */
  Report.Row row() {
    long inlineBatches = path.inlineBatches() - inlineBefore;
    path.read(indices);
    workload.verify(name, path, indices);
    List<Double> sorted = rates.stream().sorted().toList();
    return new Report.Row(
        name,
        workload.sampleBytes(),
        indices.length,
        (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2,
        sorted.get(0),
        sorted.get(sorted.size() - 1),
        nanos.getValueAtPercentile(50) / NANOS_PER_MICRO,
        nanos.getValueAtPercentile(99) / NANOS_PER_MICRO,
        nanos.getTotalCount(),
        inlineBatches);
  }
}
