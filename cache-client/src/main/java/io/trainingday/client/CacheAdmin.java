package io.trainingday.client;

import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.AdminMessage.Configure;
import io.trainingday.lane.AdminMessage.Configured;
import io.trainingday.lane.AdminMessage.Datasets;
import io.trainingday.lane.AdminMessage.DatasetsReply;
import io.trainingday.lane.AdminMessage.Drain;
import io.trainingday.lane.AdminMessage.Invalidate;
import io.trainingday.lane.AdminMessage.Publish;
import io.trainingday.lane.AdminMessage.PublishChanged;
import io.trainingday.lane.AdminMessage.PublishManifest;
import io.trainingday.lane.AdminMessage.Published;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Tells the cache what changed in data sets. It speaks to one node, what it says holds for the
 * whole grid.
 *
 * <pre>{@code
 * try (CacheAdmin admin = CacheAdmin.connect()) {
 *   admin.publishChanged("pets", 17, 4_711);
 * }
 * }</pre>
 *
 * <p>When a call returns, no read on any node that starts afterwards gets an old version of what
 * changed. A call waits for the grid, up to a minute; it may be made again after it failed. Needs
 * the node's Unix socket, or a token with the role admin. Thread-safe, one call at a time.
 */
public final class CacheAdmin implements AutoCloseable {
  private static final Duration LONGEST = Duration.ofMinutes(1);

  /** Its setting is at most 10 minutes. */
  private static final Duration LONGEST_DRAIN = Duration.ofMinutes(11);

  private final LaneAddress address;
  private final Access access;
  private final LaneMemory memory = new LaneMemory(0);
  private LaneConnection connection;
  private boolean closed;

  private CacheAdmin(LaneAddress address, Access access) {
    this.address = address;
    this.access = access;
    this.connection = open();
  }

  /** Connects with defaults; see {@link #connect(TrainingCache.Config)}. */
  public static CacheAdmin connect() {
    return connect(TrainingCache.Config.builder().build());
  }

  /**
   * Connects to the node that a trainer with this configuration would use.
   *
   * @throws IllegalArgumentException if the address, the token or a certificate cannot be used
   * @throws CacheException if there is no node, or it refuses
   */
  public static CacheAdmin connect(TrainingCache.Config config) {
    return new CacheAdmin(
        LaneAddress.find(config.address(), System.getenv()), Access.of(config, System.getenv()));
  }

  private LaneConnection open() {
    try {
      return LaneConnection.open(
          address,
          Role.ADMIN,
          access.now(),
          Connector.clientName(),
          memory,
          Connector.GREETING_TIMEOUT.toNanos());
    } catch (LaneException | IOException e) {
      throw new CacheException(NoNodeText.of(address, e), e);
    }
  }

  /**
   * Every sample of a data set changed; what it is made of counts as it is known.
   *
   * @return the generation made
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public long publish(String name) {
    return generation(new Publish(name, newRequestId(), false, 0, ""));
  }

  /**
   * Every sample of a data set changed, and its source is another one from now on.
   *
   * @param sourceLength how many samples there are, ≥ 0
   * @param sourceDigest as in {@link DatasetSpec.Builder#sourceDigest}
   * @return the generation made
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public long publish(String name, long sourceLength, String sourceDigest) {
    return generation(new Publish(name, newRequestId(), true, sourceLength, sourceDigest));
  }

  /**
   * Some samples changed; all others stay warm.
   *
   * @param indices 1–16,777,216, in any order
   * @return the generation made
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public long publishChanged(String name, long... indices) {
    checkCount(indices.length);
    return generation(new PublishChanged(name, newRequestId(), indices.clone()));
  }

  /**
   * Tells what samples are made of now. Those whose stamp is not the one of the manifest before
   * have changed; all others stay warm.
   *
   * @param indices 1–16,777,216
   * @param stamps one for each: modification time and size, an etag, a checksum; at most 1 KiB
   * @return the generation made, or the current one if nothing changed
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public long publishManifest(String name, long[] indices, String[] stamps) {
    checkCount(indices.length);
    if (stamps.length != indices.length) {
      throw new IllegalArgumentException(
          "indices=%d <> stamps=%d, give one stamp for each index"
              .formatted(indices.length, stamps.length));
    }
    return generation(new PublishManifest(name, newRequestId(), indices.clone(), stamps.clone()));
  }

  /**
   * The records of some samples are wrong, the samples are not: they are made again.
   *
   * @param indices 1–16,777,216, in any order
   * @return the generation made
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public long invalidate(String name, long... indices) {
    checkCount(indices.length);
    return generation(new Invalidate(name, indices.clone()));
  }

  /**
   * Changes settings of a data set while it is in use: {@code policy} (pin, lru, lfu, random),
   * {@code quota} and {@code guaranteed} (a size such as 64GiB, or a share of a node's memory such
   * as 25%). They hold on all nodes when this returns.
   *
   * @param settings values by name, from 1
   * @return all of its settings from now on
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public SortedMap<String, String> configure(String name, Map<String, String> settings) {
    if (settings.isEmpty() || settings.size() > Configure.MAX_SETTINGS) {
      throw new IllegalArgumentException(
          "%d settings, allowed: 1–%d".formatted(settings.size(), Configure.MAX_SETTINGS));
    }
    return ((Configured) call(new Configure(name, new TreeMap<>(settings)))).settings();
  }

  /**
   * All data sets there are, as one JSON array.
   *
   * @throws CacheException if the node cannot be reached
   */
  public String datasets() {
    return ((DatasetsReply) call(new Datasets())).json();
  }

  /**
   * The node hands over what it can, its trainers to other nodes too, and then stops, or stays
   * without serving trainers. Returns when that is done, at most 11 minutes later.
   *
   * @param stop whether it stops then
   * @return what was handed over and what not, as one JSON object
   * @throws CacheException if the node refuses, naming why, cannot be reached, or is of a release
   *     that does not know this
   */
  public synchronized String drain(boolean stop) {
    return ((AdminMessage.Told) call(new Drain(stop), LONGEST_DRAIN)).json();
  }

  /**
   * Where a sample is, in which versions and variants, and why it was missed last, as one JSON
   * object.
   *
   * @param index from 0
   * @throws CacheException if the node refuses, naming why, or cannot be reached
   */
  public String explain(String name, long index) {
    return ((AdminMessage.Told) call(new AdminMessage.Explain(name, index))).json();
  }

  /**
   * Has every node read all of its records and hold them against their checksums and placement;
   * returns at once, {@link #verified} tells how far it is. Ends what was begun before.
   *
   * @param bytesPerSecond that each node reads at most; 0: no limit
   * @throws CacheException if the node refuses, or cannot be reached
   */
  public void verify(long bytesPerSecond) {
    call(new AdminMessage.Verify(AdminMessage.Verify.Action.START, bytesPerSecond));
  }

  /**
   * What the nodes have found so far of what {@link #verify} began, as one JSON object. Ask at
   * least once a minute, or they end it.
   *
   * @throws CacheException if the node cannot be reached
   */
  public String verified() {
    return ((AdminMessage.Told) call(new AdminMessage.Verify(AdminMessage.Verify.Action.LOOK, 0)))
        .json();
  }

  /**
   * Ends what {@link #verify} began.
   *
   * @throws CacheException if the node cannot be reached
   */
  public void endVerify() {
    call(new AdminMessage.Verify(AdminMessage.Verify.Action.STOP, 0));
  }

  private long generation(AdminMessage request) {
    return ((Published) call(request)).generation();
  }

  /**
   * Once more over a new connection where the first breaks: the request says that it is the same.
   */
  private synchronized LaneMessage call(AdminMessage request) {
    return call(request, LONGEST);
  }

  private synchronized LaneMessage call(AdminMessage request, Duration longest) {
    if (closed) {
      throw new IllegalStateException("closed");
    }
    try {
      if (connection.isOpen()) {
        try {
          return exchange(request, longest);
        } catch (IOException broken) {
          connection.close();
        }
      }
      connection = open();
      return exchange(request, longest);
    } catch (IOException e) {
      throw new CacheException(
          "the cache node at %s: %s. Whether it has done it is not known; ask again"
              .formatted(address, e.getMessage()),
          e);
    } catch (LaneException e) {
      throw new CacheException(String.valueOf(e.getMessage()), e);
    }
  }

  private LaneMessage exchange(AdminMessage request, Duration longest) throws IOException {
    return connection.call(request, System.nanoTime() + longest.toNanos()).message();
  }

  private static void checkCount(int count) {
    if (count < 1 || count > AdminMessage.MAX_INDICES) {
      throw new IllegalArgumentException(
          "%d indices, allowed: 1–%d".formatted(count, AdminMessage.MAX_INDICES));
    }
  }

  private static String newRequestId() {
    return UUID.randomUUID().toString();
  }

  /** Ends the connection. */
  @Override
  public synchronized void close() {
    closed = true;
    connection.close();
  }
}
