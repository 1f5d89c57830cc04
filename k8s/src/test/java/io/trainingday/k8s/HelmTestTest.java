package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the pod of `helm test` does, with a stand-in for a node and for DNS. */
class HelmTestTest {
  @TempDir private Path work = Path.of("");
  private final AtomicInteger asked = new AtomicInteger();
  private int failures;
  private HttpServer node = nowhere();

  private static HttpServer nowhere() {
    try {
      return HttpServer.create();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void listen() throws IOException {
    node = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    node.createContext(
        "/ready",
        exchange -> {
          boolean ready = asked.incrementAndGet() > failures;
          byte[] why =
              (ready ? "ok" : "the grid is not there yet").getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(ready ? 200 : 503, why.length);
          exchange.getResponseBody().write(why);
          exchange.close();
        });
    node.start();
    tool("getent", "for kind in STREAM DGRAM RAW; do echo \"127.0.0.1 $kind $2\"; done");
    tool("sleep", "exit 0");
    tool("training-day", "echo \"training-day $*\"");
  }

  @AfterEach
  void close() {
    node.stop(0);
  }

  /** `helm test` right after `helm install`, as the README has it. */
  @Test
  void grid_thatIsNotReadyYetIsWaitedFor() throws IOException, InterruptedException {
    failures = 2;
    assertThat(run())
        .contains("ready: 127.0.0.1")
        .contains("training-day status --address tcp://demo-training-day-nodes.caches.svc")
        .endsWith("exit 0");
    assertThat(asked).hasValue(3);
  }

  @Test
  void grid_thatIsNeverReadyFailsWithItsReason() throws IOException, InterruptedException {
    failures = Integer.MAX_VALUE;
    assertThat(run())
        .contains("127.0.0.1: HTTP/1.")
        .contains("the grid is not there yet")
        .doesNotContain("training-day status")
        .endsWith("exit 1");
  }

  /** Each look at a silent node takes its time, and the pod may live for 290 s. */
  @Test
  void node_thatIsSilentIsNamedBeforeThePodIsEnded() throws IOException, InterruptedException {
    tool("timeout", "echo look >>\"$0.looks\"; exit 124");
    assertThat(run("SECONDS", "240"))
        .contains(
            "127.0.0.1:  (no answer on port %d within 5 s)".formatted(node.getAddress().getPort()))
        .endsWith("exit 1");
    assertThat(work.resolve("timeout.looks")).hasContent("look\n");
  }

  @Test
  void grid_withoutNodesFails() throws IOException, InterruptedException {
    tool("getent", "exit 2");
    assertThat(run()).contains("has no address").endsWith("exit 1");
    assertThat(asked).hasValue(0);
  }

  private String run(String... variable) throws IOException, InterruptedException {
    Path values = work.resolve("values.yaml");
    Files.writeString(
        values,
        "image: {repository: r/training-day}\nports: {metrics: %d}\n"
            .formatted(node.getAddress().getPort()));
    String script =
        Chart.render(Files.createDirectory(work.resolve("chart")), values)
            .of("Pod")
            .get(0)
            .at("/spec/containers/0/command/2")
            .asText();
    ProcessBuilder builder =
        new ProcessBuilder("/bin/bash", "-ec", script).redirectErrorStream(true);
    builder.environment().merge("PATH", work.toString(), (path, own) -> own + ":" + path);
    if (variable.length > 0) {
      builder.environment().put(variable[0], variable[1]);
    }
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return said + "exit " + process.waitFor();
  }

  private void tool(String name, String script) throws IOException {
    Path tool = work.resolve(name);
    Files.writeString(tool, "#!/bin/bash\n" + script + "\n");
    assertThat(tool.toFile().setExecutable(true)).isTrue();
  }
}
