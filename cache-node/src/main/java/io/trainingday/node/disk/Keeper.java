package io.trainingday.node.disk;

import java.io.IOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store's own thread: makes room, gives space back, writes through to the disk once a second,
 * and gets over an index that failed.
 */
final class Keeper implements Runnable, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Keeper.class);
  private static final long REST_MILLIS = 250;
  private static final long SYNC_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Records records;
  private final Cleaner cleaner;
  private final ReentrantReadWriteLock inside;
  private final String directory;
  private final Semaphore woken = new Semaphore(0);
  private final Thread thread;
  private volatile boolean closing;
  private long syncedNanos = System.nanoTime();
  private String lastProblem = "";

  /**
   * @param inside its read lock is held by whoever uses the records, its write lock by whoever
   *     opens or closes their index
   */
  Keeper(
      Records records,
      Sizes sizes,
      Staging staging,
      Usage usage,
      DiskOptions options,
      ReentrantReadWriteLock inside) {
    this.records = records;
    this.cleaner = new Cleaner(records, sizes, staging, usage, options.evictor(), () -> closing);
    this.inside = inside;
    this.directory = options.directory().toString();
    this.thread = new Thread(this, "disk-keeper");
    this.thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** There may be something to do. */
  void wake() {
    if (woken.availablePermits() == 0) {
      woken.release();
    }
  }

  @Override
  public void run() {
    while (!closing) {
      try {
        work();
        lastProblem = "";
      } catch (IOException | RuntimeException failure) {
        if (!failure.toString().equals(lastProblem)) {
          lastProblem = failure.toString();
          LOG.warn("the disk tier in {} has a problem: {}", directory, lastProblem);
          LOG.debug("where the problem is", failure);
        }
      }
      rest();
    }
  }

  private void rest() {
    try {
      if (woken.tryAcquire(REST_MILLIS, TimeUnit.MILLISECONDS)) {
        woken.drainPermits();
      }
    } catch (InterruptedException nobodyDoes) {
      LOG.debug("interrupted, to no purpose", nobodyDoes);
    }
  }

  private void work() throws IOException {
    if (records.isIndexDamaged() || (records.isIndexRestoring() && records.hasSpace(0))) {
      restoreIndex();
    } else if (records.isIndexFailed() && records.hasSpace(0)) {
      alone(records::reopenIndex);
      LOG.info("the index in {} works again", directory);
    }
    if (records.isIndexDamaged() || records.isIndexFailed() || records.isIndexRestoring()) {
      return; // What it says of dead entries is not to be relied on.
    }
    if (System.nanoTime() - syncedNanos >= SYNC_NANOS) {
      among(records::sync);
      syncedNanos = System.nanoTime();
    }
    while (!closing) {
      among(records::measure);
      Cleaner.Step step = step();
      if (step == Cleaner.Step.NOTHING
          || (step == Cleaner.Step.EVICTION_WANTED && !cleaner.evict())) {
        return;
      }
    }
  }

  private Cleaner.Step step() throws IOException {
    inside.readLock().lock();
    try {
      return cleaner.step();
    } finally {
      inside.readLock().unlock();
    }
  }

  private void restoreIndex() throws IOException {
    if (records.isIndexDamaged()) {
      LOG.warn(
          "the index in {} is damaged: it is made anew from the records; until then many of them"
              + " are missed",
          directory);
    }
    alone(records::renewIndex);
    among(cleaner::restoreIndex);
    if (!closing) {
      among(records::restored);
      LOG.info("the index in {} is whole again", directory);
    }
  }

  private interface Work {
    void run() throws IOException;
  }

  private void among(Work work) throws IOException {
    inside.readLock().lock();
    try {
      work.run();
    } finally {
      inside.readLock().unlock();
    }
  }

  private void alone(Work work) throws IOException {
    inside.writeLock().lock();
    try {
      work.run();
    } finally {
      inside.writeLock().unlock();
    }
  }

  /** Stops the thread, which finishes no more than the copy of a record and a call of others'. */
  @Override
  public void close() {
    closing = true;
    wake();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException later) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
