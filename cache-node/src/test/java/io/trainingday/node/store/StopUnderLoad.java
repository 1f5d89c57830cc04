package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Starts a node, reads and writes it with several threads and stops it in the middle, again and
 * again. A program of its own because what it looks for is the death of the JVM.
 */
final class StopUnderLoad {
  private static final int READERS = 3;
  private static final int RECORDS = 64;
  private static final int READS_BEFORE_STOP = 2_000;
  private static final int[] LENGTHS = {100, 4_096, 40_000, 150_528};

  private StopUnderLoad() {}

  /** Arguments: page or public, number of rounds, a directory to work in. */
  public static void main(String[] arguments) throws Exception {
    for (int round = 0; round < Integer.parseInt(arguments[1]); round++) {
      runOnce(arguments[0], Path.of(arguments[2]));
      System.out.println("stopped " + (round + 1));
    }
    System.exit(0);
  }

  private static void runOnce(String reader, Path directory) throws Exception {
    SmallNode node = SmallNode.start(directory, 64 << 20);
    RecordStores stores =
        reader.equals("page")
            ? RecordStores.withPageReader(node.ignite())
            : RecordStores.withPublicReader(node.ignite());
    RecordStore store = stores.of(1);
    for (int i = 0; i < RECORDS; i++) {
      store.write(key(i), new byte[LENGTHS[i % LENGTHS.length]]);
    }
    AtomicBoolean stop = new AtomicBoolean();
    Semaphore reads = new Semaphore(0);
    ExecutorService threads = Executors.newFixedThreadPool(READERS + 1);
    List<Future<?>> running = new ArrayList<>();
    for (int i = 0; i < READERS; i++) {
      running.add(threads.submit(() -> readUntil(stop, store, reads)));
    }
    running.add(threads.submit(() -> writeUntil(stop, store)));
    reads.acquire(READS_BEFORE_STOP);

    stores.drain();
    node.close();

    // Only now: the readers went on asking while the memory went away.
    stop.set(true);
    for (Future<?> thread : running) {
      thread.get();
    }
    threads.shutdown();
    if (!node.failures().isEmpty()) {
      throw new IllegalStateException("Ignite reported " + node.failures());
    }
  }

  private static void readUntil(AtomicBoolean stop, RecordStore store, Semaphore reads) {
    CollectingSink sink = new CollectingSink(LENGTHS[LENGTHS.length - 1]);
    for (int i = 0; !stop.get(); i++) {
      int length = store.read(key(i % RECORDS), sink);
      if (length != RecordStore.MISS) {
        if (length != LENGTHS[i % RECORDS % LENGTHS.length]) {
          throw new IllegalStateException("record " + i % RECORDS + " has " + length + " bytes");
        }
        reads.release();
      }
    }
  }

  private static void writeUntil(AtomicBoolean stop, RecordStore store) {
    for (int i = 0; !stop.get(); i++) {
      try {
        store.write(key(i % RECORDS), new byte[LENGTHS[i % RECORDS % LENGTHS.length]]);
      } catch (RecordStore.WriteException stopping) {
        return; // What a writer is told when the node goes away under it.
      }
    }
  }

  private static SampleKey key(int index) {
    return new SampleKey(1, 2, 3, 0, 0, index);
  }
}
