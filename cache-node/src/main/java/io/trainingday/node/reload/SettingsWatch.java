package io.trainingday.node.reload;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the settings file, the tokens file and the certificates of a node while it runs.
 *
 * <p>A file is looked at every second and taken over when its content has changed and stood still
 * for one look. It is checked as at the start: one that is wrong is refused as a whole, said once
 * and counted, and what held before holds on. Of one that is right, each key counts when its {@link
 * SettingKey.Effect} says: what a running node can take over it takes over; of the rest it tells
 * that a restart is needed.
 *
 * <p>Settings of data sets that the grid keeps are changed in the grid, by every node that sees
 * them change in its file; the ones that come later find nothing left to do. What did not change in
 * the file is left as it is, so that `training-day dataset` and the file can be used side by side:
 * the last change counts. A setting that a data set got at its first open cannot be changed: where
 * the file differs, the data set's opens go on by what is kept, and the difference is told.
 *
 * <p>Each file has its own thread: changes of data sets wait for the grid, tokens and certificates
 * do not.
 */
public final class SettingsWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SettingsWatch.class);
  private static final Duration LOOK = Duration.ofSeconds(1);

  private final Settings started;
  private final Reloadable node;
  private final Duration look;
  private final FileState settingsState = new FileState();
  private final FileState tokensState = new FileState();
  private final Map<Tls, FileState> tlsStates = new EnumMap<>(Tls.class);
  private final List<ScheduledExecutorService> threads = new CopyOnWriteArrayList<>();

  // Of the thread that follows the settings.
  private final Map<String, Settings.Dataset> usedAtOpens;

  /** By data set, the short names of settings that changed and that the grid has not got yet. */
  private final SortedMap<String, Set<String>> unmade = new TreeMap<>();

  /** Data sets of which it is said already that the grid could not change them yet. */
  private final Set<String> late = new HashSet<>();

  private Settings read;

  private final SortedMap<String, List<String>> notInForce = new TreeMap<>();
  private volatile List<String> restartNeeded = List.of();
  private volatile List<String> notInForceShown = List.of();
  private volatile boolean closed;

  /**
   * A watch that follows nothing yet.
   *
   * @param started the settings that {@code node} was started with, as they were stated
   */
  public SettingsWatch(Settings started, Reloadable node) {
    this(started, node, LOOK);
  }

  /**
   * @param look from one look at a file to the next
   */
  SettingsWatch(Settings started, Reloadable node, Duration look) {
    this.started = started;
    this.node = node;
    this.look = look;
    this.read = started;
    this.usedAtOpens = new HashMap<>(started.datasets());
    for (Tls tls : Tls.values()) {
      tlsStates.put(tls, new FileState());
    }
  }

  /**
   * Follows the file that the node's settings came from.
   *
   * @param reader reads the settings again, from all that they come from; throws {@link
   *     SettingsException}
   * @param logLevel takes over another level
   */
  public void followSettings(
      Path file, Supplier<Settings> reader, Consumer<Settings.LogLevel> logLevel) {
    WatchedFiles watched = new WatchedFiles(file);
    follow(
        "settings-watch",
        () -> {
          if (watched.changed()) {
            readSettings(file, reader, logLevel);
          }
          changeDatasets();
        });
  }

  /** Follows the node's tokens file. */
  public void followTokens(Path file) {
    WatchedFiles watched = new WatchedFiles(file);
    follow(
        "tokens-watch",
        () -> {
          if (watched.changed()) {
            readTokens(file);
          }
        });
  }

  /**
   * Follows the certificates of one kind of port, if it has any. What is wrong with them is tried
   * again at each look: a certificate may begin to be valid without any change.
   */
  public void followTls(Tls tls) {
    List<Path> paths = tls.files(started);
    if (paths.isEmpty()) {
      return;
    }
    WatchedFiles watched = new WatchedFiles(paths.toArray(Path[]::new));
    follow(tls.option() + "-watch", () -> readTls(tls, watched.changed()));
  }

  private void readTls(Tls tls, boolean filesChanged) {
    FileState state = state(tls);
    if (!filesChanged && !state.isRefused()) {
      return;
    }
    boolean changed;
    try {
      changed = node.reloadTls(tls);
    } catch (RuntimeException e) {
      String why = String.valueOf(e.getMessage());
      if (filesChanged) {
        LOG.warn("Changed certificates are refused, those read before hold on: {}", why);
        state.refused(why);
      }
      return;
    }
    if (state.isRefused() || changed) {
      LOG.info("The certificates of {} were read again; new connections go by them.", tls.option());
      state.applied();
    }
  }

  private FileState state(Tls tls) {
    return Objects.requireNonNull(tlsStates.get(tls));
  }

  private void follow(String name, Runnable task) {
    ScheduledExecutorService thread =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread made = new Thread(work, name);
              made.setDaemon(true);
              return made;
            });
    threads.add(thread);
    try {
      var unused =
          thread.scheduleWithFixedDelay(
              () -> lookSafely(name, task), 0, look.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      LOG.trace("{}: closed meanwhile.", name, e);
    }
    // Whoever closes this may have looked at the threads before this one was there.
    if (closed) {
      thread.shutdownNow();
    }
  }

  /** An exception would end the looks. */
  private void lookSafely(String name, Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      if (!closed) {
        LOG.warn("{}: one look failed, the next comes in {}.", name, look, e);
      }
    }
  }

  private void readTokens(Path file) {
    boolean changed;
    try {
      changed = node.reloadTokens();
    } catch (RuntimeException e) {
      String why = String.valueOf(e.getMessage());
      LOG.warn("Changed tokens are refused, those read before hold on: {}", why);
      tokensState.refused(why);
      return;
    }
    if (tokensState.isRefused() || changed) {
      LOG.info("Tokens were read again from {}.", file);
      tokensState.applied();
    }
  }

  private void readSettings(
      Path file, Supplier<Settings> reader, Consumer<Settings.LogLevel> logLevel) {
    Settings next;
    try {
      next = reader.get();
    } catch (SettingsException e) {
      String why = String.valueOf(e.getMessage());
      LOG.warn("Changed settings are refused, those read before hold on: {}", why);
      settingsState.refused(why);
      return;
    }
    if (settingsState.isRefused() || !next.equals(read)) {
      Settings before = read;
      read = next;
      if (next.log().level() != before.log().level()) {
        logLevel.accept(next.log().level());
        LOG.info(
            "{} changed: log.level={}.", file, SettingKey.LOG_LEVEL.format(next.log().level()));
      }
      tellRestart(file, next);
      for (String name : SettingsChange.datasets(before, next)) {
        unmade
            .computeIfAbsent(name, added -> new HashSet<>())
            .addAll(SettingsChange.atOnce(before.dataset(name), next.dataset(name)).keySet());
      }
      settingsState.applied();
    }
  }

  private void tellRestart(Path file, Settings next) {
    List<String> needed = SettingsChange.atStart(started, next);
    if (needed.equals(restartNeeded)) {
      return;
    }
    restartNeeded = needed;
    if (needed.isEmpty()) {
      LOG.info("{} changed: no restart is needed any more.", file);
      return;
    }
    LOG.warn(
        "{} changed: restart the node for {}. Until then it goes on as it was started.",
        file,
        String.join(", ", needed));
    node.refusalAtStart(next)
        .ifPresent(why -> LOG.warn("With them the node would not start in this place: {}", why));
  }

  /** Makes the changes of data sets that are not made yet, as far as the grid can now. */
  private void changeDatasets() {
    for (Map.Entry<String, Set<String>> one : List.copyOf(unmade.entrySet())) {
      String name = one.getKey();
      try {
        List<String> not = changeDataset(name, one.getValue());
        unmade.remove(name);
        late.remove(name);
        not.forEach(why -> LOG.warn("Not in force: {}", why));
        notInForce.put(name, not);
      } catch (RuntimeException e) {
        if (closed) {
          return;
        }
        if (late.add(name)) {
          LOG.warn("The settings of data set \"{}\" cannot be changed yet.", name, e);
        }
        notInForce.put(name, List.of("datasets.%s: not yet: %s".formatted(name, e.getMessage())));
      }
      notInForceShown = notInForce.values().stream().flatMap(List::stream).toList();
    }
  }

  /**
   * Makes a data set's change.
   *
   * @param changed short names of the settings that are to be as the file says
   * @return what of the file cannot be
   */
  private List<String> changeDataset(String name, Set<String> changed) {
    Settings.Dataset wanted = read.dataset(name);
    Map<String, ? extends Map<String, String>> kept = node.kept(name);
    boolean named = read.datasets().containsKey(name);
    List<String> otherwise = named ? otherwiseKept(name, wanted, kept) : List.of();
    // Where they differ, whoever opens the data set is held to what is kept alone.
    if (named && otherwise.isEmpty()) {
      usedAtOpens.put(name, wanted);
    } else {
      usedAtOpens.remove(name);
    }
    node.useDatasets(Map.copyOf(usedAtOpens));
    SortedMap<String, String> settings = SettingsChange.atOnce(wanted);
    settings.keySet().retainAll(changed);
    kept.forEach(
        (tenant, there) -> {
          SortedMap<String, String> missing = SettingsChange.missing(settings, there);
          if (!missing.isEmpty()) {
            node.configure(tenant, name, missing);
            LOG.info("Data set \"{}/{}\" was changed: {}.", tenant, name, missing);
          }
        });
    return otherwise;
  }

  private static List<String> otherwiseKept(
      String name, Settings.Dataset wanted, Map<String, ? extends Map<String, String>> kept) {
    SortedMap<String, String> stated = SettingsChange.atFirstOpen(wanted);
    List<String> otherwise = new ArrayList<>();
    kept.forEach(
        (tenant, there) ->
            SettingsChange.missing(stated, there)
                .forEach(
                    (setting, value) ->
                        otherwise.add(
                            "datasets.%s.%s=%s <> %s=%s that \"%s/%s\" is kept with, state the same"
                                .formatted(
                                    name,
                                    setting,
                                    value,
                                    setting,
                                    there.get(setting),
                                    tenant,
                                    name))));
    return otherwise;
  }

  /** What became of changed files up to now. From any thread. */
  public ReloadStats stats() {
    return new ReloadStats(
        settingsState.snapshot(),
        tokensState.snapshot(),
        state(Tls.LANE).snapshot(),
        state(Tls.GRID).snapshot(),
        restartNeeded,
        notInForceShown);
  }

  /** Ends the looks; does not wait for one that is under way. Safe to call again. */
  @Override
  public void close() {
    closed = true;
    threads.forEach(ScheduledExecutorService::shutdownNow);
  }

  /** What became of one file's changes. */
  private static final class FileState {
    private long applied;
    private long refused;
    private String refusal = "";
    private long refusedSinceNanos;

    synchronized void applied() {
      applied++;
      refusal = "";
    }

    synchronized void refused(String why) {
      refused++;
      if (refusal.isEmpty()) {
        refusedSinceNanos = System.nanoTime();
      }
      refusal = why;
    }

    synchronized boolean isRefused() {
      return !refusal.isEmpty();
    }

    synchronized ReloadStats.Source snapshot() {
      return new ReloadStats.Source(
          applied,
          refused,
          refusal,
          refusal.isEmpty()
              ? 0
              : TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - refusedSinceNanos));
    }
  }
}
