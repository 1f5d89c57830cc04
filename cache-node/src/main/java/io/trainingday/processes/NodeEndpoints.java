package io.trainingday.processes;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;

/**
 * A node that serves, and where; the components' names are the keys in reports.
 *
 * @param id of the node in its grid
 * @param hostId of the host it says it runs on
 * @param socket the path of its Unix socket
 * @param tcp its lane over TCP, {@code tcp://HOST:PORT}
 * @param metrics the URL of its metrics
 */
public record NodeEndpoints(
    String id, long pid, String hostId, String socket, String tcp, String metrics) {
  private static final JsonMapper JSON = new JsonMapper();

  /** As one line. */
  public String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("no JSON: " + this, impossible);
    }
  }
}
