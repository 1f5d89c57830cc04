package io.trainingday.node.tier;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.KeySpace;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.fill.Elsewhere;
import io.trainingday.node.fill.InFlightBytes;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.Landing;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.record.RecordChecksum;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the nodes that have records of a partition on their disks for one that its owner lacks.
 *
 * <p>They are asked as a reader that wants no lease: they give what they have and ask nobody else,
 * so questions never go round. Samples that are missed together are asked for together. A node that
 * does not answer is given up as by any other reader; whoever asked waits no longer than for its
 * lease.
 */
final class FormerOwners implements Elsewhere, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FormerOwners.class);
  private static final int SAMPLES_A_REQUEST = 32;

  /** More wait for their turn: what is on its way here is to fit in what may be in flight. */
  private static final int REQUESTS_AT_ONCE = 4;

  /** How often a record is asked for again that came when too much was in flight. */
  private static final int MOST_REPEATS = 4;

  /** Who is not among so many is not asked: a partition has been with a few nodes at most. */
  private static final int MOST_ASKED = 4;

  /** For so long at least nobody is asked again for what nobody had. */
  private static final long ABSENT_NANOS = TimeUnit.SECONDS.toNanos(30);

  private static final int MOST_ABSENT = 1 << 17;

  /** What is on its way here may take such a part of what fills may. */
  private static final int IN_FLIGHT_SHARE = 4;

  /** For so long a node is not asked that did not answer. */
  private static final long SILENT_NANOS = TimeUnit.SECONDS.toNanos(3);

  private final Ownership ownership;
  private final Peers peers;
  private final Holdings holdings;
  private final InFlightBytes inFlight;
  private final LongAdder fetched = new LongAdder();
  private final Queue<Search> begun = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean turnDue = new AtomicBoolean();
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread created = new Thread(task, "former-owners");
            created.setDaemon(true);
            return created;
          });

  // Two generations: what is forgotten was remembered for one to two terms.
  private volatile Set<SampleKey> absent = ConcurrentHashMap.newKeySet();
  private volatile Set<SampleKey> absentBefore = Set.of();
  private long absentSince = System.nanoTime();

  private final Map<UUID, Long> silentUntil = new ConcurrentHashMap<>();

  /** One sample that is looked for. */
  private static final class Search {
    final RecordStore store;
    final SampleKey key;
    final Consumer<byte @Nullable []> whenEnded;
    final Deque<Member> left;
    int repeats;

    /** Whether all who were asked have answered. */
    boolean answered = true;

    Search(
        RecordStore store,
        SampleKey key,
        Consumer<byte @Nullable []> whenEnded,
        List<Member> candidates) {
      this.store = store;
      this.key = key;
      this.whenEnded = whenEnded;
      this.left = new ArrayDeque<>(candidates);
    }
  }

  private record Asked(Member member, KeySpace keys) {}

  private record Request(Asked asked, List<Search> searches) {}

  // Used by the thread alone.
  private final Deque<Request> waiting = new ArrayDeque<>();
  private int open;

  FormerOwners(Ownership ownership, Peers peers, Holdings holdings, long maxInFlightBytes) {
    this.ownership = ownership;
    this.peers = peers;
    this.holdings = holdings;
    this.inFlight = InFlightBytes.orOneRecord(Math.max(1, maxInFlightBytes / IN_FLIGHT_SHARE));
  }

  /** Records that another node still had. */
  long fetched() {
    return fetched.sum();
  }

  @Override
  public boolean mayHave(RecordStore store, SampleKey key) {
    return store.tier().onDisk()
        && holdings.isElsewhere(partition(store, key))
        && !absent.contains(key)
        && !absentBefore.contains(key);
  }

  private int partition(RecordStore store, SampleKey key) {
    return BoundedLoadAffinity.partition(
        key.index(), ownership.table(store.backups()).partitions());
  }

  @Override
  public void find(RecordStore store, SampleKey key, Consumer<byte @Nullable []> whenEnded) {
    List<Member> candidates = holdings.elsewhere(partition(store, key));
    begun.add(
        new Search(
            store, key, whenEnded, candidates.subList(0, Math.min(MOST_ASKED, candidates.size()))));
    if (turnDue.compareAndSet(false, true)) {
      onThread(this::askForAll);
    }
  }

  private void askForAll() {
    turnDue.set(false);
    List<Search> searches = new ArrayList<>();
    for (Search search; (search = begun.poll()) != null; ) {
      searches.add(search);
    }
    ask(searches);
  }

  /** Asks the next node for each, many together. */
  private void ask(List<Search> searches) {
    Map<Asked, List<Search>> together = new LinkedHashMap<>();
    for (Search search : searches) {
      Member next = next(search);
      if (next == null) {
        if (search.answered) {
          remember(search.key);
        }
        tell(search, null);
      } else {
        together
            .computeIfAbsent(
                new Asked(next, PeerKeys.of(search.key, search.store)), unused -> new ArrayList<>())
            .add(search);
      }
    }
    together.forEach(
        (asked, all) -> {
          for (int from = 0; from < all.size(); from += SAMPLES_A_REQUEST) {
            int to = Math.min(all.size(), from + SAMPLES_A_REQUEST);
            waiting.add(new Request(asked, List.copyOf(all.subList(from, to))));
          }
        });
    sendWaiting();
  }

  private @Nullable Member next(Search search) {
    for (Member next; (next = search.left.poll()) != null; ) {
      Long silent = silentUntil.get(next.id());
      if (silent == null || System.nanoTime() - silent > 0) {
        return next;
      }
      search.answered = false;
    }
    return null;
  }

  private void sendWaiting() {
    while (open < REQUESTS_AT_ONCE && !waiting.isEmpty()) {
      Request next = waiting.remove();
      open++;
      send(next.asked, next.searches);
    }
  }

  private void send(Asked asked, List<Search> searches) {
    PeerRead request =
        new PeerRead(
            asked.keys,
            false,
            true,
            false,
            0,
            0,
            searches.stream().mapToLong(search -> search.key.index()).toArray(),
            searches.stream().mapToLong(search -> search.key.sampleVersion()).toArray(),
            Long.MIN_VALUE,
            new long[0]);
    Answers answers = new Answers();
    answers.whenEnded = () -> onThread(() -> ended(asked.member, searches, answers));
    var unused = peers.of(asked.member).read(request, answers);
  }

  private void ended(Member asked, List<Search> searches, Answers answers) {
    open--;
    if (!answers.complete) {
      silentUntil.put(asked.id(), System.nanoTime() + SILENT_NANOS);
    }
    List<Search> missed = new ArrayList<>();
    RecordChecksum checksum = new RecordChecksum();
    for (int i = 0; i < searches.size(); i++) {
      byte[] record = answers.whole(i);
      Search search = searches.get(i);
      if (record == null) {
        search.answered &= answers.missing.contains(i);
        if (answers.landed.contains(i) && search.repeats++ < MOST_REPEATS) {
          search.left.addFirst(asked);
        }
        missed.add(search);
        continue;
      }
      try {
        if (checksum.matches(ByteBuffer.wrap(record), 0, record.length)) {
          fetched.increment();
          tell(search, record);
        } else {
          missed.add(search);
        }
      } finally {
        inFlight.give(record.length);
      }
    }
    answers.giveBackTheRest();
    ask(missed);
  }

  private static void tell(Search search, byte @Nullable [] record) {
    try {
      search.whenEnded.accept(record);
    } catch (RuntimeException stopping) {
      // Whoever waits for it has the lease's deadline.
      LOG.debug("{} was looked for in vain", search.key, stopping);
    }
  }

  @Override
  public void notAgain(SampleKey key) {
    remember(key);
  }

  private synchronized void remember(SampleKey key) {
    long now = System.nanoTime();
    if (now - absentSince > ABSENT_NANOS || absent.size() > MOST_ABSENT) {
      absentBefore = absent;
      absent = ConcurrentHashMap.newKeySet();
      absentSince = now;
    }
    absent.add(key);
  }

  private void onThread(Runnable task) {
    try {
      thread.execute(
          () -> {
            try {
              task.run();
            } catch (RuntimeException failure) {
              // Whoever waits for these samples has the lease's deadline.
              LOG.warn("Could not ask former owners", failure);
            }
          });
    } catch (RejectedExecutionException closed) {
      LOG.debug("the node stops", closed);
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }

  /** Gathers what one node sends, as far as the bytes in flight allow. */
  private final class Answers implements Landing {
    private final Map<Integer, byte[]> records = new HashMap<>();
    private final Set<Integer> landed = new HashSet<>();
    private final Set<Integer> missing = new HashSet<>();
    private Runnable whenEnded = () -> {};
    private boolean complete;

    @Override
    public @Nullable RecordSink begin(int position, int recordBytes, int sentBytes) {
      if (sentBytes != recordBytes || !inFlight.tryTake(recordBytes)) {
        return null;
      }
      ArraySink sink = ArraySink.of(recordBytes);
      records.put(position, sink.bytes());
      return sink;
    }

    @Override
    public void landed(int position) {
      landed.add(position);
    }

    @Override
    public void missing(int position, PeerStatus status, long lease) {
      missing.add(position);
    }

    @Override
    public void ended(boolean whole) {
      complete = whole;
      whenEnded.run();
    }

    byte @Nullable [] whole(int position) {
      return landed.contains(position) ? records.get(position) : null;
    }

    /** What broke off is counted out here. */
    void giveBackTheRest() {
      records.forEach(
          (position, record) -> {
            if (!landed.contains(position)) {
              inFlight.give(record.length);
            }
          });
    }
  }
}
