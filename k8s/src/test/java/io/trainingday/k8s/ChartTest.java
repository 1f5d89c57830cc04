package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.each;
import static io.trainingday.k8s.Manifests.name;
import static io.trainingday.k8s.Manifests.named;
import static io.trainingday.k8s.Manifests.selects;
import static io.trainingday.k8s.Manifests.texts;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.marcnuri.helm.LintResult;
import io.trainingday.config.DataSize;
import io.trainingday.config.Settings;
import io.trainingday.config.format.SettingsReader;
import io.trainingday.node.capacity.NodeMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** What the chart makes in each of its modes, by itself and of one piece. */
@ParameterizedClass
@MethodSource("modes")
class ChartTest {
  private static final String LANE = "/run/training-day";
  private static final Set<String> MONITORING =
      Set.of("ServiceMonitor", "PodMonitor", "PrometheusRule");
  private static final Pattern LEVEL = Pattern.compile("(?m)^# PodSecurity: (\\w+)$");
  private static final Pattern HEAP = Pattern.compile("-Xmx([0-9]+)m");
  private static final Pattern DIRECT = Pattern.compile("-XX:MaxDirectMemorySize=([0-9]+)m");

  private static final Map<Path, Manifests> RENDERED = new TreeMap<>();

  private final Path values;
  private final Manifests manifests;

  ChartTest(Path values) {
    this.values = values;
    manifests = RENDERED.getOrDefault(values, new Manifests(List.of()));
  }

  @BeforeAll
  static void render(@TempDir Path work) throws IOException {
    for (Path mode : modes().toList()) {
      RENDERED.put(
          mode, Chart.render(Files.createDirectory(work.resolve(mode.getFileName())), mode));
    }
  }

  static Stream<Path> modes() throws IOException {
    return Chart.modes();
  }

  @Test
  void lint_findsNothing(@TempDir Path work) throws IOException {
    LintResult lint = Chart.lint(work, values);
    assertThat(lint.isFailed()).as("%s", lint.getMessages()).isFalse();
  }

  @Test
  void objects_areAsTheModelsOfKubernetesSay() {
    assertThat(manifests.all()).hasSizeGreaterThanOrEqualTo(5);
    for (JsonNode object : manifests.all()) {
      Optional<String> problem =
          MONITORING.contains(object.path("kind").asText())
              ? MonitoringModels.problem(object)
              : KubernetesModels.problem(object);
      assertThat(problem).as("%s %s", object.path("kind"), name(object)).isEmpty();
    }
  }

  @Test
  void objects_areNamedOnceAndLabelled() {
    List<String> keys =
        manifests.all().stream()
            .map(
                one ->
                    one.path("kind").asText()
                        + " "
                        + one.at("/metadata/namespace").asText()
                        + "/"
                        + name(one))
            .toList();
    assertThat(keys).doesNotHaveDuplicates();
    assertThat(manifests.all())
        .allSatisfy(
            one ->
                assertThat(texts(one.at("/metadata/labels")))
                    .containsEntry("app.kubernetes.io/instance", Chart.RELEASE)
                    .containsEntry("app.kubernetes.io/managed-by", "Helm"));
  }

  @Test
  void pods_needThePodSecurityLevelThatTheModeClaims() throws IOException {
    Matcher claimed = LEVEL.matcher(Files.readString(values));
    assertThat(claimed.find()).isTrue();
    assertThat(PodSecurity.of(manifests.nodes().path("spec"))).hasToString(claimed.group(1));
    // Directories of the host are the one thing that goes beyond: containers are restricted but for
    // the one that gives them away.
    assertThat(PodSecurity.violations(PodSecurity.Level.RESTRICTED, manifests.nodes().path("spec")))
        .allMatch(
            why ->
                why.endsWith("is a hostPath")
                    || why.equals("directories may run as root")
                    || Set.of("CHOWN", "DAC_OVERRIDE", "FOWNER").stream()
                        .anyMatch(added -> why.equals("directories adds " + added))
                    || why.equals("directories runs as user 0"));
    assertThat(manifests.of("Pod"))
        .hasSize(1)
        .allSatisfy(
            pod ->
                assertThat(PodSecurity.violations(PodSecurity.Level.RESTRICTED, pod.path("spec")))
                    .isEmpty());
  }

  @Test
  void pods_reachTheApiWithNothing() {
    assertThat(manifests.pods())
        .allSatisfy(
            pod -> {
              assertThat(pod.at("/spec/automountServiceAccountToken").asBoolean(true)).isFalse();
              assertThat(pod.at("/spec/enableServiceLinks").asBoolean(true)).isFalse();
            });
    assertThat(manifests.all())
        .noneMatch(one -> one.path("apiVersion").asText().startsWith("rbac."));
  }

  @Test
  void volumes_areThoseThatAreMounted() {
    for (JsonNode pod : manifests.pods()) {
      TreeSet<String> mounted = new TreeSet<>();
      for (String list : List.of("initContainers", "containers")) {
        for (JsonNode container : pod.at("/spec/" + list)) {
          each(container.path("volumeMounts"))
              .forEach(mount -> mounted.add(mount.path("name").asText()));
          assertThat(each(container.path("volumeMounts")).map(m -> m.path("mountPath").asText()))
              .doesNotHaveDuplicates();
          assertThat(container.at("/securityContext/readOnlyRootFilesystem").asBoolean()).isTrue();
        }
      }
      TreeSet<String> there = new TreeSet<>();
      each(pod.at("/spec/volumes")).forEach(volume -> there.add(volume.path("name").asText()));
      each(manifests.workload().at("/spec/volumeClaimTemplates")).forEach(c -> there.add(name(c)));
      assertThat(there).containsAll(mounted);
      if (pod.equals(manifests.nodes())) {
        assertThat(mounted).isEqualTo(there);
      }
    }
    // The JVM unpacks libraries there, and the root file system is read-only.
    assertThat(mount("tmp").path("mountPath").asText()).isEqualTo("/tmp");
  }

  /** What is mounted by subPath stays as it was when the container started. */
  @Test
  void settingsAndTokens_areMountedSoThatTheyChange() {
    assertThat(each(node().path("volumeMounts")))
        .noneMatch(mount -> mount.has("subPath") || mount.has("subPathExpr"));
    assertThat(configMap().path("immutable").asBoolean()).isFalse();
  }

  @Test
  void update_takesOneNodeAfterTheOther() {
    JsonNode strategy = manifests.workload().at("/spec/updateStrategy");
    if (strategy.path("type").asText().equals("OnDelete")) {
      assertThat(Chart.notes(values)).contains("kubectl -n " + Chart.NAMESPACE + " delete pod POD");
    } else if (manifests.workload().path("kind").asText().equals("DaemonSet")) {
      assertThat(strategy.at("/rollingUpdate/maxUnavailable").asInt()).isEqualTo(1);
    }
    // A StatefulSet replaces one at a time by itself. Either waits for this.
    assertThat(node().at("/readinessProbe/httpGet/path").asText()).isEqualTo("/ready");
  }

  @Test
  void settings_loadAndSayWhatTheObjectsSay(@TempDir Path work) throws IOException {
    Settings settings = settings(work);
    JsonNode ports = node().path("ports");
    assertThat(ports).hasSize(4);
    assertThat(settings.grid().port()).isEqualTo(port(ports, "discovery"));
    assertThat(settings.grid().communicationPort()).isEqualTo(port(ports, "communication"));
    assertThat(settings.lane().tcp().enabled()).isTrue();
    assertThat(settings.lane().tcp().port()).isEqualTo(port(ports, "lane"));
    assertThat(settings.metrics().enabled()).isTrue();
    assertThat(settings.metrics().port()).isEqualTo(port(ports, "metrics"));
    assertThat(settings.metrics().address()).isEqualTo("0.0.0.0");
    int grace = manifests.nodes().at("/spec/terminationGracePeriodSeconds").asInt();
    assertThat(settings.stop().handOver()).isEqualTo(Duration.ofSeconds(grace - 30));

    JsonNode headless = headless();
    assertThat(settings.grid().discovery().dnsName())
        .contains("%s.%s.svc.cluster.local".formatted(name(headless), Chart.NAMESPACE));
    assertThat(settings.grid().localAddress()).isEqualTo("10.1.2.3");
    boolean moves = manifests.workload().path("kind").asText().equals("StatefulSet");
    assertThat(settings.grid().hostId()).contains(moves ? "demo-training-day-0" : "host-1");
    boolean hasZone =
        each(node().path("env"))
            .anyMatch(e -> e.path("name").asText().equals("TRAINING_DAY_CONFIG_GRID_ZONE"));
    assertThat(settings.grid().zone())
        .isEqualTo(hasZone ? Optional.of("zone-a") : Optional.empty());

    assertThat(settings.lane().socket()).contains(Path.of(LANE, "lane.sock"));
    assertThat(settings.lane().segmentDirectory()).hasToString(LANE);
    assertThat(mount("lane").path("mountPath").asText()).isEqualTo(LANE);

    String file = node().path("args").get(2).asText();
    JsonNode mounted = mount("settings");
    assertThat(node().path("args")).map(JsonNode::asText).startsWith("serve", "--config");
    assertThat(Path.of(file).getParent()).hasToString(mounted.path("mountPath").asText());
    assertThat(configMap().path("data").has(String.valueOf(Path.of(file).getFileName()))).isTrue();
  }

  @Test
  void secrets_areMountedWhereTheSettingsLookForThem(@TempDir Path work) throws IOException {
    Settings.Lane lane = settings(work).lane();
    assertThat(lane.tls().enabled()).isEqualTo(hasVolume("tls"));
    if (lane.tls().enabled()) {
      String directory = mount("tls").path("mountPath").asText();
      assertThat(lane.tls().certificate()).contains(Path.of(directory, "tls.crt"));
      assertThat(lane.tls().key()).contains(Path.of(directory, "tls.key"));
      assertThat(lane.tls().trust()).contains(Path.of(directory, "ca.crt"));
      // Certificates are for names, not for the addresses of pods.
      String domain = "%s.%s.svc.cluster.local".formatted(name(headless()), Chart.NAMESPACE);
      assertThat(environment())
          .satisfiesAnyOf(
              all -> assertThat(all).containsEntry("TRAINING_DAY_LANE_DOMAIN", domain),
              all ->
                  assertThat(all)
                      .containsEntry(
                          "TRAINING_DAY_CONFIG_LANE_TCP_ADDRESS", "demo-training-day-0." + domain));
    }
    Settings.GridTls grid = settings(work).grid().tls();
    assertThat(grid.isEnabled()).isEqualTo(hasVolume("grid-tls"));
    if (grid.isEnabled()) {
      String directory = mount("grid-tls").path("mountPath").asText();
      assertThat(grid.certificate()).contains(Path.of(directory, "tls.crt"));
      assertThat(grid.key()).contains(Path.of(directory, "tls.key"));
      assertThat(grid.trust()).contains(Path.of(directory, "ca.crt"));
    }
    for (String secret : List.of("tls", "grid-tls", "tokens")) {
      if (hasVolume(secret)) {
        assertThat(mount(secret).path("readOnly").asBoolean()).isTrue();
        assertThat(volume(secret).at("/secret/defaultMode").asInt()).isEqualTo(0440);
      }
    }
    assertThat(lane.tokensFile().isPresent()).isEqualTo(hasVolume("tokens"));
    if (hasVolume("tokens")) {
      JsonNode item = volume("tokens").at("/secret/items/0");
      assertThat(lane.tokensFile())
          .contains(
              Path.of(mount("tokens").path("mountPath").asText(), item.path("path").asText()));
    }
    // Only the group of the node's user reads them, which fsGroup makes its own.
    JsonNode context = manifests.nodes().at("/spec/securityContext");
    assertThat(context.path("fsGroup")).isEqualTo(context.path("runAsGroup"));
  }

  @Test
  void memory_isWhatANodeWorksOutWhenItStarts(@TempDir Path work) throws IOException {
    JsonNode resources = node().path("resources");
    assertThat(resources.at("/requests/memory")).isEqualTo(resources.at("/limits/memory"));
    DataSize limit = DataSize.parse(resources.at("/limits/memory").asText());
    String options = environment().getOrDefault("TRAINING_DAY_JAVA_OPTS", "");
    Settings resolved =
        NodeMemory.resolve(settings(work), limit.bytes(), mib(HEAP, options), mib(DIRECT, options));
    assertThat(manifests.nodes().at("/metadata/annotations").path("training-day/samples").asText())
        .isEqualTo((resolved.memory().maxSize().bytes() >> 20) + "MiB");
    resolved.validate();
  }

  @Test
  void disk_isMountedAndLargerThanWhatTheTierTakes(@TempDir Path work) throws IOException {
    Settings.Disk disk = settings(work).disk();
    assertThat(disk.path().map(Path::toString))
        .isEqualTo(
            each(node().path("volumeMounts"))
                .filter(mount -> mount.path("name").asText().equals("disk"))
                .map(mount -> mount.path("mountPath").asText())
                .findFirst());
    for (JsonNode claim : manifests.workload().at("/spec/volumeClaimTemplates")) {
      assertThat(name(claim)).isEqualTo("disk");
      DataSize size = DataSize.parse(claim.at("/spec/resources/requests/storage").asText());
      assertThat(disk.maxSize()).isLessThan(size);
    }
    // Without one, what a replaced node held is gone, so nothing replaces it by itself.
    assertThat(manifests.workload().at("/spec/updateStrategy/type").asText())
        .isEqualTo(disk.path().isPresent() ? "RollingUpdate" : "OnDelete");
  }

  @Test
  void selectors_takeTheNodesAndNothingElse() {
    JsonNode nodes = manifests.nodes();
    JsonNode test = manifests.of("Pod").get(0);
    Stream.concat(
            manifests.of("Service").stream().map(service -> service.at("/spec/selector")),
            Stream.concat(
                Stream.of(manifests.workload().at("/spec/selector/matchLabels")),
                Stream.of("PodDisruptionBudget", "PodMonitor")
                    .flatMap(kind -> manifests.of(kind).stream())
                    .map(one -> one.at("/spec/selector/matchLabels"))))
        .forEach(
            selector -> {
              assertThat(selects(selector, nodes)).as("%s", selector).isTrue();
              assertThat(selects(selector, test)).as("%s", selector).isFalse();
            });
    for (JsonNode policy : manifests.of("NetworkPolicy")) {
      assertThat(selects(policy.at("/spec/podSelector/matchLabels"), nodes)).isTrue();
      assertThat(selects(policy.at("/spec/podSelector/matchLabels"), test)).isFalse();
    }
    for (JsonNode monitor : manifests.of("ServiceMonitor")) {
      List<JsonNode> scraped =
          manifests.of("Service").stream()
              .filter(service -> selects(monitor.at("/spec/selector/matchLabels"), service))
              .toList();
      assertThat(scraped).containsExactly(headless());
    }
    // A version among them would have to change, which the API refuses.
    assertThat(texts(manifests.workload().at("/spec/selector/matchLabels")).keySet())
        .containsExactlyInAnyOrder(
            "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component");
  }

  @Test
  void ports_ofServicesProbesAndMonitorsAreThoseOfTheNode() {
    JsonNode ports = node().path("ports");
    List<String> named = each(ports).map(port -> port.path("name").asText()).toList();
    assertThat(each(ports).map(port -> port.path("containerPort").asInt())).doesNotHaveDuplicates();
    for (JsonNode service : manifests.of("Service")) {
      for (JsonNode port : service.at("/spec/ports")) {
        assertThat(named).contains(port.path("targetPort").asText());
        assertThat(port.path("port").asInt())
            .isEqualTo(port(ports, port.path("targetPort").asText()));
      }
    }
    Map<String, String> probes =
        Stream.of("startupProbe", "livenessProbe", "readinessProbe")
            .collect(
                Collectors.toMap(
                    probe -> probe,
                    probe ->
                        node().path(probe).at("/httpGet/port").asText()
                            + node().path(probe).at("/httpGet/path").asText()));
    assertThat(probes)
        .containsEntry("startupProbe", "metrics/live")
        .containsEntry("livenessProbe", "metrics/live")
        .containsEntry("readinessProbe", "metrics/ready");
    for (JsonNode monitor : manifests.of("ServiceMonitor")) {
      assertThat(each(headless().at("/spec/ports")).map(port -> port.path("name").asText()))
          .contains(monitor.at("/spec/endpoints/0/port").asText());
    }
    for (JsonNode monitor : manifests.of("PodMonitor")) {
      assertThat(named).contains(monitor.at("/spec/podMetricsEndpoints/0/port").asText());
    }
    for (JsonNode policy : manifests.of("NetworkPolicy")) {
      assertThat(each(policy.at("/spec/ingress")).flatMap(rule -> each(rule.path("ports"))))
          .map(port -> port.path("port").asText())
          .isSubsetOf(named);
    }
  }

  @Test
  void services_findNodesBeforeTheyAreReadyAndTrainersOnlyThoseThatAre() {
    JsonNode headless = headless();
    assertThat(headless.at("/spec/publishNotReadyAddresses").asBoolean()).isTrue();
    List<JsonNode> others =
        manifests.of("Service").stream().filter(Predicate.not(headless::equals)).toList();
    assertThat(others).hasSize(1);
    assertThat(others.get(0).at("/spec/publishNotReadyAddresses").asBoolean(false)).isFalse();
    boolean everyHost = manifests.workload().path("kind").asText().equals("DaemonSet");
    assertThat(others.get(0).at("/spec/internalTrafficPolicy").asText())
        .isEqualTo(everyHost ? "Local" : "Cluster");
    if (!everyHost) {
      assertThat(manifests.workload().at("/spec/serviceName").asText()).isEqualTo(name(headless));
      assertThat(manifests.workload().at("/spec/podManagementPolicy").asText())
          .isEqualTo("Parallel");
    }
  }

  @Test
  void networkPolicy_opensIgnitesPortsToNodesAlone() {
    for (JsonNode policy : manifests.of("NetworkPolicy")) {
      assertThat(policy.at("/spec/policyTypes")).map(JsonNode::asText).contains("Ingress");
      for (JsonNode rule : policy.at("/spec/ingress")) {
        List<String> opened =
            each(rule.path("ports")).map(port -> port.path("port").asText()).toList();
        assertThat(opened).isNotEmpty();
        if (opened.contains("discovery") || opened.contains("communication")) {
          assertThat(rule.path("from")).hasSize(1);
          JsonNode from = rule.at("/from/0");
          assertThat(from.has("namespaceSelector")).isFalse();
          assertThat(selects(from.at("/podSelector/matchLabels"), manifests.nodes())).isTrue();
          assertThat(selects(from.at("/podSelector/matchLabels"), manifests.of("Pod").get(0)))
              .isFalse();
        }
      }
    }
  }

  @Test
  void laneDirectory_ofEachTenant_isTheSameForNodesClaimsAndSettings(@TempDir Path work)
      throws IOException {
    JsonNode lane = volume("lane");
    // As a node finds them, so that all else must agree with its settings.
    Settings.Lane settings = settings(work).lane();
    Path own = settings.resolvedSocket().resolveSibling("");
    List<String> directories =
        settings.tenantList().stream()
            .map(tenant -> tenant.isDefault() ? own : own.resolve(tenant.name()))
            .map(
                path ->
                    lane.at("/hostPath/path").asText() + path.toString().substring(LANE.length()))
            .toList();
    List<JsonNode> persistent = manifests.of("PersistentVolume");
    assertThat(manifests.of("PersistentVolumeClaim")).hasSameSizeAs(persistent);
    assertThat(directories)
        .containsAll(
            persistent.stream().map(one -> one.at("/spec/hostPath/path").asText()).toList());
    for (JsonNode one : persistent) {
      assertThat(one.at("/spec/hostPath/type")).isEqualTo(lane.at("/hostPath/type"));
      JsonNode reference = one.at("/spec/claimRef");
      JsonNode claim =
          manifests.of("PersistentVolumeClaim").stream()
              .filter(c -> c.at("/metadata/namespace").equals(reference.path("namespace")))
              .findFirst()
              .orElseThrow();
      assertThat(claim.at("/metadata/name")).isEqualTo(reference.path("name"));
      assertThat(claim.at("/spec/volumeName").asText()).isEqualTo(name(one));
      // No provisioner may answer it, and both sides must say so alike.
      assertThat(claim.at("/spec/storageClassName").asText("unset")).isEmpty();
      assertThat(one.at("/spec/storageClassName").asText("unset")).isEmpty();
      assertThat(claim.at("/spec/accessModes")).isEqualTo(one.at("/spec/accessModes"));
    }
    boolean ofHost = lane.has("hostPath");
    assertThat(manifests.nodes().at("/spec/initContainers").isEmpty())
        .isEqualTo(!ofHost && !volume("disk").has("hostPath"));
    if (ofHost) {
      String prepares = manifests.nodes().at("/spec/initContainers/0/command/2").asText();
      JsonNode security = manifests.nodes().at("/spec/securityContext");
      List<String> groups =
          each(security.path("supplementalGroups")).map(JsonNode::asText).toList();
      assertThat(settings.tenantList()).extracting(t -> t.group().orElseThrow()).isEqualTo(groups);
      for (Settings.Tenant tenant : settings.tenantList()) {
        Path directory = tenant.isDefault() ? own : own.resolve(tenant.name());
        assertThat(prepares)
            .contains(
                "prepare %s %s:%s %d\n"
                    .formatted(
                        directory,
                        security.path("runAsUser").asText(),
                        tenant.group().orElseThrow(),
                        // As the node has it: others pass through it to theirs.
                        directory.equals(own) && groups.size() > 1 ? 2711 : 2710));
      }
    } else {
      assertThat(settings.tenants()).isEmpty();
      assertThat(lane.at("/emptyDir/medium").asText()).isEqualTo("Memory");
    }
  }

  @Test
  void notes_nameWhatIsThere() {
    String notes = Chart.notes(values);
    Matcher addresses =
        Pattern.compile("tcp://([a-z0-9-]+)\\.([a-z0-9-]+)\\.svc[^:]*:(\\d+)").matcher(notes);
    int found = 0;
    while (addresses.find()) {
      found++;
      JsonNode service = manifests.one("Service", addresses.group(1));
      assertThat(addresses.group(2)).isEqualTo(Chart.NAMESPACE);
      assertThat(named(service.at("/spec/ports"), "lane").path("port").asText())
          .isEqualTo(addresses.group(3));
    }
    assertThat(found).isPositive();
    assertThat(notes)
        .contains(
            manifests
                .nodes()
                .at("/metadata/annotations")
                .path("training-day/samples")
                .asText()
                .replace("MiB", " MiB"))
        .contains("/" + name(manifests.workload()) + " ")
        .doesNotContain("<no value>")
        .doesNotContain("<nil>");
    boolean privileged =
        PodSecurity.of(manifests.nodes().path("spec")) == PodSecurity.Level.PRIVILEGED;
    assertThat(notes.contains("enforce=privileged")).isEqualTo(privileged);
    manifests
        .of("PersistentVolumeClaim")
        .forEach(
            claim ->
                assertThat(notes)
                    .contains("claimName: " + name(claim))
                    .contains(claim.at("/metadata/namespace").asText()));
  }

  /** What a trainer over TCP is asked for, by the names the clients look for it under. */
  @Test
  void notes_sayWhatATrainerShowsOverTcp(@TempDir Path work) throws IOException {
    Settings.Lane lane = settings(work).lane();
    TreeMap<String, String> asked = new TreeMap<>();
    if (lane.tokensFile().isPresent()) {
      asked.put("TRAINING_DAY_TOKEN", "token");
    }
    if (lane.tls().enabled()) {
      asked.put("TRAINING_DAY_TLS_TRUST", "ca.crt");
    }
    if (lane.tls().clientCertificates()) {
      asked.put("TRAINING_DAY_TLS_CERTIFICATE", "tls.crt");
      asked.put("TRAINING_DAY_TLS_KEY", "tls.key");
    }
    String notes = Chart.notes(values);
    for (String secret : List.of("tls", "tokens")) {
      if (hasVolume(secret)) {
        assertThat(notes)
            .contains("Secret " + volume(secret).at("/secret/secretName").asText())
            .contains(volume(secret).at("/secret/items/0/key").asText());
      }
    }
    TreeMap<String, String> named = new TreeMap<>();
    Matcher snippets = Pattern.compile("(?m)(?<=\\n\\n)   spec:\\n(?: {5}.*\\n)+").matcher(notes);
    while (snippets.find()) {
      JsonNode spec = Chart.yaml(snippets.group()).path("spec");
      JsonNode trainer = spec.at("/containers/0");
      for (JsonNode variable : trainer.path("env")) {
        String name = variable.path("name").asText();
        if (variable.has("valueFrom")) {
          named.put(name, variable.at("/valueFrom/secretKeyRef/key").asText());
        } else if (!name.equals("TRAINING_DAY_ADDRESS")) {
          Path file = Path.of(variable.path("value").asText());
          named.put(name, String.valueOf(file.getFileName()));
          assertThat(trainer.at("/volumeMounts/0/mountPath").asText())
              .isEqualTo(String.valueOf(file.getParent()));
        }
      }
      // Each volume of the snippet is one that is mounted.
      assertThat(each(spec.path("volumes")).map(volume -> volume.path("name").asText()))
          .containsExactlyElementsOf(
              each(trainer.path("volumeMounts")).map(m -> m.path("name").asText()).toList());
    }
    assertThat(named).isEqualTo(asked);
    String contract = Files.readString(Path.of("../cache-client/contract/lane.md"));
    asked.forEach(
        (variable, key) -> {
          assertThat(contract).contains("`" + variable + "`");
          assertThat(notes)
              .containsPattern("create secret generic .*--from-(file|literal)=" + key + "\\b");
        });
  }

  private JsonNode node() {
    return named(manifests.nodes().at("/spec/containers"), "node");
  }

  private JsonNode headless() {
    return manifests.of("Service").stream()
        .filter(service -> service.at("/spec/clusterIP").asText().equals("None"))
        .findFirst()
        .orElseThrow();
  }

  private JsonNode configMap() {
    return manifests.one("ConfigMap", volume("settings").at("/configMap/name").asText());
  }

  private boolean hasVolume(String name) {
    return !volume(name).isMissingNode();
  }

  private JsonNode volume(String name) {
    return each(manifests.nodes().at("/spec/volumes"))
        .filter(volume -> volume.path("name").asText().equals(name))
        .findFirst()
        .orElse(MissingNode.getInstance());
  }

  private JsonNode mount(String name) {
    return named(node().path("volumeMounts"), name);
  }

  private static int port(JsonNode ports, String name) {
    return named(ports, name).path("containerPort").asInt();
  }

  private static long mib(Pattern option, String options) {
    Matcher matcher = option.matcher(options);
    assertThat(matcher.find()).as(options).isTrue();
    return Long.parseLong(matcher.group(1)) << 20;
  }

  /** As the kubelet would give it to the node. */
  private Map<String, String> environment() {
    Map<String, String> pod =
        Map.of(
            "status.podIP", "10.1.2.3",
            "spec.nodeName", "host-1",
            "metadata.name", "demo-training-day-0",
            "metadata.labels['topology.kubernetes.io/zone']", "zone-a");
    TreeMap<String, String> environment = new TreeMap<>();
    for (JsonNode variable : node().path("env")) {
      String field = variable.at("/valueFrom/fieldRef/fieldPath").asText();
      String value =
          field.isEmpty() ? variable.path("value").asText() : String.valueOf(pod.get(field));
      for (Map.Entry<String, String> earlier : environment.entrySet()) {
        value = value.replace("$(" + earlier.getKey() + ")", earlier.getValue());
      }
      environment.put(variable.path("name").asText(), value);
    }
    return environment;
  }

  /** The settings as a node reads them: the file, and the environment over it. */
  private Settings settings(Path work) throws IOException {
    Path file = work.resolve("training-day.yaml");
    Files.writeString(file, configMap().at("/data/training-day.yaml").asText());
    return SettingsReader.ofFile(file).withEnvironment(environment()).read();
  }
}
