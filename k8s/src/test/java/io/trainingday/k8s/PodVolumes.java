package io.trainingday.k8s;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The volumes of one pod as directories of this machine, with the owners and modes that the kubelet
 * gives them. Claims are looked up in the pod's namespace.
 */
final class PodVolumes {
  private static final int ROOT = 0;
  private static final int DEFAULT_MODE = 0644;

  private final ClusterObjects objects;
  private final String namespace;
  private final int fsGroup;
  private final Path host;
  private final Path own;
  private final Map<String, Path> directories = new TreeMap<>();
  private final Map<String, Boolean> readOnly = new TreeMap<>();

  /**
   * Makes them.
   *
   * @param fsGroup -1 for none
   * @param host the directory that stands for the host's root, on a tmpfs
   * @param own an empty directory on a tmpfs for the volumes that are the pod's alone
   */
  PodVolumes(
      JsonNode volumes, ClusterObjects objects, String namespace, int fsGroup, Path host, Path own)
      throws IOException {
    this.objects = objects;
    this.namespace = namespace;
    this.fsGroup = fsGroup;
    this.host = host;
    this.own = own;
    for (JsonNode volume : volumes) {
      String name = volume.path("name").asText();
      directories.put(name, directory(name, volume));
    }
  }

  /** Where a volume is. */
  Path directory(String name) {
    Path directory = directories.get(name);
    if (directory == null) {
      throw new AssertionError("no volume " + name + " among " + directories.keySet());
    }
    return directory;
  }

  /** Whether no container may write to it, whatever it mounts. */
  boolean isReadOnly(String name) {
    return readOnly.getOrDefault(name, false);
  }

  private Path directory(String name, JsonNode volume) throws IOException {
    if (volume.has("hostPath")) {
      return ofHost(volume.path("hostPath"));
    }
    if (volume.has("persistentVolumeClaim")) {
      String claim = volume.at("/persistentVolumeClaim/claimName").asText();
      return ofHost(objects.persistentVolume(namespace, claim).at("/spec/hostPath"));
    }
    Path directory = Files.createDirectory(own.resolve(name));
    if (volume.has("emptyDir")) {
      Tool.run("chmod", "0777", directory.toString());
      if (fsGroup >= 0) {
        Tool.run("chown", ":" + fsGroup, directory.toString());
        Tool.run("chmod", "g+s", directory.toString());
      }
      return directory;
    }
    readOnly.put(name, true);
    Path content = Files.createDirectory(directory.resolve("..content"));
    for (Path one : List.of(directory, content)) {
      Files.setPosixFilePermissions(one, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    Files.createSymbolicLink(directory.resolve("..data"), Path.of("..content"));
    if (volume.has("projected")) {
      for (JsonNode source : volume.at("/projected/sources")) {
        fill(directory, source, volume.path("projected"));
      }
    } else {
      fill(directory, volume, volume.path(volume.has("secret") ? "secret" : "configMap"));
    }
    return directory;
  }

  /** The kubelet makes what is missing as root's, and changes nothing that is there. */
  private Path ofHost(JsonNode hostPath) throws IOException {
    if (!hostPath.path("type").asText().equals("DirectoryOrCreate")) {
      throw new AssertionError("a directory that is made where it is missing, not " + hostPath);
    }
    Path directory = host.resolve(hostPath.path("path").asText().substring(1));
    Tool.run("mkdir", "-p", "-m", "755", directory.toString());
    return directory;
  }

  /** Files as links into a directory that changes as a whole. */
  private void fill(Path directory, JsonNode source, JsonNode options) throws IOException {
    boolean secret = source.has("secret");
    JsonNode reference = source.path(secret ? "secret" : "configMap");
    String name =
        reference.path(secret ? "secretName" : "name").asText(reference.path("name").asText());
    JsonNode object = objects.of(secret ? "Secret" : "ConfigMap", namespace, name);
    Map<String, String> paths = new TreeMap<>();
    object.path("data").fieldNames().forEachRemaining(key -> paths.put(key, key));
    if (reference.has("items")) {
      paths.clear();
      reference
          .path("items")
          .forEach(item -> paths.put(item.path("key").asText(), item.path("path").asText()));
    }
    int mode = options.path("defaultMode").asInt(DEFAULT_MODE);
    for (Map.Entry<String, String> one : paths.entrySet()) {
      JsonNode value = object.at("/data").path(one.getKey());
      if (value.isMissingNode()) {
        throw new AssertionError(name + " has no key " + one.getKey());
      }
      byte[] bytes =
          secret ? Base64.getDecoder().decode(value.asText()) : value.asText().getBytes(UTF_8);
      Path file = Files.write(directory.resolve("..content").resolve(one.getValue()), bytes);
      Tool.run("chown", ROOT + ":" + Math.max(fsGroup, ROOT), file.toString());
      // By fsGroup it is readable for the group.
      int group = fsGroup >= 0 ? 0040 : 0;
      Tool.run("chmod", Integer.toOctalString(mode | group), file.toString());
      Files.createSymbolicLink(
          directory.resolve(one.getValue()), Path.of("..data").resolve(one.getValue()));
    }
  }
}
