package io.trainingday.node.reload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Settings;
import io.trainingday.config.Settings.LogLevel;
import io.trainingday.config.format.SettingsReader;
import io.trainingday.node.MountedFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a watch makes of its files, with a node that only notes what it is told. */
class SettingsWatchTest {
  private static final String START = "memory: {maxSize: 1GiB}\ndatasets: {pets: {quota: 40%}}\n";

  private final Path file;
  private final NotingNode node = new NotingNode();
  private final List<LogLevel> levels = new CopyOnWriteArrayList<>();
  private SettingsWatch watch;

  SettingsWatchTest(@TempDir Path directory) {
    file = directory.resolve("settings.yaml");
  }

  @BeforeEach
  void follow() throws IOException {
    write(START);
    watch = new SettingsWatch(SettingsReader.read(file), node, Duration.ofMillis(20));
    watch.followSettings(file, () -> SettingsReader.read(file), levels::add);
  }

  @AfterEach
  void close() {
    watch.close();
  }

  @Test
  void follow_afterClose_leavesNoThread() {
    watch.close();

    watch.followTokens(file);

    await().until(() -> threads("tokens-watch").isEmpty());
  }

  private static List<Thread> threads(String name) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals(name))
        .toList();
  }

  @Test
  void change_isTakenOverByKey() throws IOException {
    node.keep("team-a", "pets", "backups", "0", "quota", "40%", "policy", "pin");
    node.keep("team-b", "pets", "backups", "0", "quota", "70%", "policy", "pin");
    node.keep("team-b", "cats", "backups", "0", "quota", "40%", "policy", "pin");

    write(
        """
        memory: {maxSize: 2GiB}
        log: {level: debug}
        datasets:
          pets: {quota: 70%}
          dogs: {backups: 1, policy: lru}
        """);

    await().until(() -> watch.stats().settings().applied() == 1);
    assertThat(levels).containsExactly(LogLevel.DEBUG);
    assertThat(watch.stats().restartNeeded()).containsExactly("memory.maxSize");
    await()
        .untilAsserted(
            () -> assertThat(node.used.keySet()).containsExactlyInAnyOrder("pets", "dogs"));
    assertThat(node.used)
        .hasEntrySatisfying("dogs", dogs -> assertThat(dogs.backups()).isEqualTo(1));
    // Of team-b it is so already; that of dogs, which nobody has opened, is for its first open.
    await()
        .untilAsserted(
            () -> assertThat(node.configured).containsExactly("team-a/pets {quota=70%}"));
    assertThat(watch.stats().notInForce()).isEmpty();
  }

  @Test
  void change_thatIsTakenBack_needsNoRestartAnyMore() throws IOException {
    write("memory: {maxSize: 2GiB}");
    await().until(() -> !watch.stats().restartNeeded().isEmpty());

    write(START);

    await().until(() -> watch.stats().restartNeeded().isEmpty());
    assertThat(watch.stats().settings().applied()).isEqualTo(2);
  }

  @Test
  void wrongFile_isRefusedAsAWholeUntilItIsRight() throws IOException {
    write("log: {level: debug}\nmemory: {maxSice: 1GiB}\n");

    await().until(() -> watch.stats().settings().refused() == 1);
    ReloadStats.Source refused = watch.stats().settings();
    assertThat(refused.refusal())
        .contains(file + ": 1 problem", "memory.maxSice", "did you mean memory.maxSize?");
    assertThat(refused.applied()).isZero();
    assertThat(levels).isEmpty();
    await().until(() -> watch.stats().settings().refusedMillis() > refused.refusedMillis());

    Files.delete(file);
    await().until(() -> watch.stats().settings().refusal().contains("there is none"));

    write(START);
    await().until(() -> watch.stats().settings().refusal().isEmpty());
    assertThat(watch.stats().settings().refusedMillis()).isZero();
    assertThat(watch.stats().settings().refused()).isEqualTo(2);
    assertThat(levels).isEmpty();
  }

  @Test
  void comment_changesNothing() throws IOException {
    write(START + "# a remark\n");
    write("# more\n" + START + "log: {level: warn}\n");

    await().until(() -> levels.contains(LogLevel.WARN));
    assertThat(watch.stats().settings().applied()).isEqualTo(1);
  }

  @Test
  void settingThatADatasetGotAtItsFirstOpen_isLeftAndTold() throws IOException {
    node.keep("default", "pets", "backups", "0", "quota", "40%");

    write("datasets: {pets: {backups: 1, quota: 60%}}");

    await().until(() -> !watch.stats().notInForce().isEmpty());
    assertThat(watch.stats().notInForce())
        .containsExactly(
            "datasets.pets.backups=1 <> backups=0 that \"default/pets\" is kept with, state the same");
    assertThat(node.configured).containsExactly("default/pets {quota=60%}");
    // Else its next open would be refused.
    assertThat(node.used).doesNotContainKey("pets");

    write("datasets: {pets: {backups: 0, quota: 60%}}");
    await().until(() -> watch.stats().notInForce().isEmpty());
    assertThat(node.used).containsKey("pets");
    assertThat(node.configured).hasSize(1);
  }

  @Test
  void grid_thatCannotNow_isAskedAgainForWhatTheFileSaysByThen() throws IOException {
    node.keep("default", "pets", "backups", "0", "quota", "40%", "policy", "pin");
    node.failures.set(Integer.MAX_VALUE);
    write("datasets: {pets: {quota: 60%, policy: lru}}");
    await().until(() -> !watch.stats().notInForce().isEmpty());
    assertThat(watch.stats().notInForce())
        .containsExactly("datasets.pets: not yet: no majority of the grid");

    write("datasets: {pets: {quota: 65%}}");
    await().until(() -> watch.stats().settings().applied() == 2);
    node.failures.set(0);

    await().until(() -> watch.stats().notInForce().isEmpty());
    assertThat(node.configured).containsExactly("default/pets {quota=65%}");
  }

  /** As Kubernetes does: a link in the directory leads to another directory from one moment on. */
  @Test
  void linkThatIsSwapped_isAChange(@TempDir Path mount) throws IOException {
    MountedFiles mounted = new MountedFiles(mount, "tokens", "one");
    watch.followTokens(mounted.file("tokens"));
    await().until(() -> node.reads.get() == 1);

    mounted.swap("tokens", "two");

    await().until(() -> watch.stats().tokens().applied() == 1);
    assertThat(node.reads).hasValue(2);

    node.tokensProblem = "line 3 has 2 words";
    mounted.swap("tokens", "three");
    await().until(() -> watch.stats().tokens().refused() == 1);
    assertThat(watch.stats().tokens().refusal()).isEqualTo("line 3 has 2 words");
  }

  private void write(String text) throws IOException {
    Files.writeString(file, text);
  }

  /** Has the data sets it is given, and notes what it is asked to do. */
  private static final class NotingNode implements Reloadable {
    private final Map<String, Map<String, Map<String, String>>> kept = new ConcurrentHashMap<>();
    private final List<String> configured = new CopyOnWriteArrayList<>();
    private final AtomicInteger failures = new AtomicInteger();
    private final AtomicInteger reads = new AtomicInteger();
    private volatile Map<String, Settings.Dataset> used = Map.of();
    private volatile String tokensProblem = "";

    void keep(String tenant, String dataset, String... settings) {
      Map<String, String> all = new ConcurrentHashMap<>();
      all.putAll(Map.of("validation", "checksum", "maxAge", "none", "tier", "memory"));
      for (int i = 0; i < settings.length; i += 2) {
        all.put(settings[i], settings[i + 1]);
      }
      kept.computeIfAbsent(dataset, added -> new ConcurrentHashMap<>()).put(tenant, all);
    }

    @Override
    public void useDatasets(Map<String, Settings.Dataset> datasets) {
      used = datasets;
    }

    @Override
    public Map<String, ? extends Map<String, String>> kept(String dataset) {
      return kept.getOrDefault(dataset, Map.of());
    }

    @Override
    public void configure(String tenant, String dataset, Map<String, String> settings) {
      if (failures.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
        throw new IllegalStateException("no majority of the grid");
      }
      configured.add(tenant + "/" + dataset + " " + settings);
      kept.getOrDefault(dataset, Map.of()).getOrDefault(tenant, Map.of()).putAll(settings);
    }

    @Override
    public Optional<String> refusalAtStart(Settings settings) {
      return Optional.empty();
    }

    @Override
    public boolean reloadTokens() {
      if (!tokensProblem.isEmpty()) {
        throw new IllegalStateException(tokensProblem);
      }
      return reads.incrementAndGet() > 1;
    }

    @Override
    public boolean reloadTls(Tls tls) {
      return false;
    }
  }
}
