package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.each;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A container as a process of this machine: the user, groups and capabilities of its manifest, with
 * process ids, file system and network of its own. Of the machine it sees /usr, /etc and a JDK,
 * read-only. Its memory is not limited, and no seccomp profile is there. Ends with the test.
 */
final class Container implements AutoCloseable {
  private static final String SYSTEM_PATH =
      "/opt/java/openjdk/bin:/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  private static final Duration KILL_LIMIT = Duration.ofSeconds(30);
  private static final int LAST_LINES = 40;

  private final String name;
  private final Process process;
  private final Path log;

  private Container(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
  }

  /** What a pod gives to each of its containers; {@code resolver} has the file hosts. */
  record Surroundings(
      JsonNode spec,
      PodVolumes volumes,
      PodNetwork.Place place,
      Path resolver,
      ImageTree image,
      Path work) {}

  /**
   * Starts one.
   *
   * @param container its manifest
   * @param environment all of it, but what the image has
   */
  static Container start(JsonNode container, Map<String, String> environment, Surroundings pod)
      throws IOException {
    String name = container.path("name").asText();
    Path root = Files.createDirectories(pod.work().resolve(name + "-root"));
    Path log = pod.work().resolve(name + ".log");
    List<String> command = new ArrayList<>(List.of("setpriv", "--pdeathsig", "KILL"));
    command.addAll(pod.place().launcher());
    command.addAll(List.of("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"));
    command.addAll(List.of("sh", "-c", script(container, environment, pod, root)));
    Process process =
        new ProcessBuilder(command)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    return new Container(name, process, log);
  }

  private static String script(
      JsonNode container, Map<String, String> environment, Surroundings pod, Path root) {
    Script script = new Script();
    script.line("set -e");
    script.line("umask 022");
    script.line("mount -t tmpfs -o mode=755 none %s", root);
    script.line("cd %s", root);
    script.line("mkdir -p proc sys dev/shm etc tmp run cluster host-etc .old");
    script.line("chmod 1777 tmp");
    machine(script);
    script.bind(pod.resolver(), "/cluster", true);
    boolean own = ImageTree.isMeantBy(container.path("image").asText());
    if (own) {
      script.bind(pod.image().directory(), pod.image().home().toString(), true);
    }
    for (JsonNode mount : container.path("volumeMounts")) {
      String volume = mount.path("name").asText();
      script.bind(
          pod.volumes().directory(volume),
          mount.path("mountPath").asText(),
          mount.path("readOnly").asBoolean() || pod.volumes().isReadOnly(volume));
    }
    script.line("pivot_root . .old");
    script.line("cd /");
    script.line("umount -l /.old");
    script.line("rmdir /.old");
    if (container.at("/securityContext/readOnlyRootFilesystem").asBoolean()) {
      script.line("mount -o remount,ro /");
    }
    script.line("cd %s", own ? pod.image().workDirectory() : "/");
    List<String> all = new ArrayList<>(privileges(container, pod));
    all.addAll(List.of("env", "-i"));
    String path = own ? pod.image().path() + ":" + SYSTEM_PATH : SYSTEM_PATH;
    all.add("PATH=" + path);
    environment.forEach((variable, value) -> all.add(variable + "=" + value));
    List<String> command = texts(container.path("command"));
    if (command.isEmpty()) {
      command = pod.image().entryPoint();
    }
    all.addAll(command);
    all.addAll(texts(container.path("args")));
    script.line("exec " + all.stream().map(Script::quoted).collect(Collectors.joining(" ")));
    return script.toString();
  }

  /** What the base of any image has, from this machine. */
  private static void machine(Script script) {
    for (String directory : List.of("bin", "lib", "lib32", "lib64", "sbin")) {
      Path path = Path.of("/" + directory);
      if (Files.isSymbolicLink(path)) {
        script.line("cp -P %s .", path);
      } else if (Files.isDirectory(path)) {
        script.bind(path, path.toString(), true);
      }
    }
    script.bind(Path.of("/usr"), "/usr", true);
    script.bind(Path.of(System.getProperty("java.home")), "/opt/java/openjdk", true);
    script.line("mkdir -p opt/python/bin");
    script.line("ln -s /usr/bin/python3 opt/python/bin/python");
    script.line("mount -t proc none proc");
    script.line("mount --rbind /sys sys");
    for (String device : List.of("null", "zero", "full", "random", "urandom")) {
      script.bind(Path.of("/dev", device), "/dev/" + device, false);
    }
    script.line("ln -s /proc/self/fd dev/fd");
    script.line("mount -t tmpfs -o mode=1777,size=64m none dev/shm");
    script.bind(Path.of("/etc"), "/host-etc", true);
    script.line("for f in /etc/*; do ln -s \"/host-etc/${f##*/}\" etc/; done");
    script.line("rm -f etc/hosts etc/host.conf etc/nsswitch.conf etc/resolv.conf");
    script.line("ln -s /cluster/hosts etc/hosts");
    script.line("echo 'multi on' >etc/host.conf");
    script.line("echo 'hosts: files' >etc/nsswitch.conf");
  }

  private static List<String> privileges(JsonNode container, Surroundings pod) {
    JsonNode ofPod = pod.spec().path("securityContext");
    JsonNode own = container.path("securityContext");
    String[] image = pod.image().user().split(":", -1);
    String user = setting("runAsUser", own, ofPod, image[0]);
    String group = setting("runAsGroup", own, ofPod, user.equals(image[0]) ? image[1] : "0");
    if (setting("runAsNonRoot", own, ofPod, "false").equals("true") && user.equals("0")) {
      throw new AssertionError("runAsNonRoot, but the user is 0: " + container);
    }
    if (!texts(own.at("/capabilities/drop")).equals(List.of("ALL"))) {
      throw new AssertionError("containers drop all capabilities, this one does not: " + container);
    }
    String capabilities =
        Stream.concat(
                Stream.of("-all"),
                each(own.at("/capabilities/add"))
                    .map(one -> "+" + one.asText().toLowerCase(Locale.ROOT)))
            .collect(Collectors.joining(","));
    List<String> groups = new ArrayList<>(texts(ofPod.path("supplementalGroups")));
    if (ofPod.has("fsGroup")) {
      groups.add(ofPod.path("fsGroup").asText());
    }
    List<String> command =
        new ArrayList<>(
            List.of(
                "setpriv",
                "--pdeathsig=KILL",
                "--reuid=" + user,
                "--regid=" + group,
                groups.isEmpty() ? "--clear-groups" : "--groups=" + String.join(",", groups),
                "--inh-caps=-all",
                "--ambient-caps=-all",
                "--bounding-set=" + capabilities));
    if (!own.path("allowPrivilegeEscalation").asBoolean(true)) {
      command.add("--no-new-privs");
    }
    return command;
  }

  private static String setting(String key, JsonNode own, JsonNode ofPod, String ofImage) {
    return (own.has(key) ? own : ofPod).path(key).asText(ofImage);
  }

  private static List<String> texts(JsonNode array) {
    return each(array).map(JsonNode::asText).toList();
  }

  /** SIGTERM for the process itself. */
  void terminate() throws IOException {
    ProcessHandle first =
        process
            .children()
            .findFirst()
            .orElseThrow(() -> new AssertionError(name + " does not run" + lastLines()));
    Tool.run("kill", "-TERM", Long.toString(first.pid()));
  }

  /**
   * Waits for its end.
   *
   * @return the exit code
   */
  int awaitEnd(Duration limit) throws InterruptedException {
    if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError(
          "%s has not ended within %d s%s".formatted(name, limit.toSeconds(), lastLines()));
    }
    return process.exitValue();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** All it has printed. */
  String output() {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What it printed last, behind a colon. */
  String lastLines() {
    List<String> lines = output().lines().toList();
    return ":\n  "
        + String.join("\n  ", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
  }

  /** Kills it, with all that it has started. */
  @Override
  public void close() {
    process.destroyForcibly();
    try {
      awaitEnd(KILL_LIMIT);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }

  /** Lines of a shell that stands in the root to be. */
  private static final class Script {
    private final StringBuilder text = new StringBuilder();

    void line(String format, Object... values) {
      Object[] quoted = Stream.of(values).map(value -> quoted(value.toString())).toArray();
      text.append(quoted.length == 0 ? format : format.formatted(quoted)).append('\n');
    }

    void bind(Path source, String target, boolean readOnly) {
      String here = target.substring(1);
      if (Files.isDirectory(source)) {
        line("mkdir -p %s", here);
      } else {
        line("touch %s", here);
      }
      line("mount --bind %s %s", source, here);
      if (readOnly) {
        line("mount -o remount,bind,ro %s", here);
      }
    }

    static String quoted(String word) {
      return "'" + word.replace("'", "'\\''") + "'";
    }

    @Override
    public String toString() {
      return text.toString();
    }
  }
}
