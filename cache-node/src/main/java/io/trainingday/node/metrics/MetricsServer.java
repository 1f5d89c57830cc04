package io.trainingday.node.metrics;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.exporter.common.TextFormat;
import io.prometheus.client.hotspot.DefaultExports;
import java.io.IOException;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a node's figures and probes over HTTP until closed.
 *
 * <ul>
 *   <li>{@code /metrics}: the Prometheus text format, or OpenMetrics where the Accept header asks
 *       for it
 *   <li>{@code /live}, {@code /ready}: 200 and {@code ok}, or 503 and the reason, as one line
 * </ul>
 *
 * <p>Anything else is 404, any method but GET and HEAD 405. Two daemon threads serve all requests;
 * one that takes more than 2 s to arrive, or whose answer takes more than 10 s to be read, is cut
 * off.
 */
public final class MetricsServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MetricsServer.class);
  private static final int THREADS = 2;
  private static final int BACKLOG = 16;
  private static final String PLAIN = "text/plain; charset=utf-8";

  static {
    // The JDK's server reads its limits once, from here alone; without one, a client that sends
    // half a request holds a thread for ever.
    limit("sun.net.httpserver.maxReqTime", "2");
    limit("sun.net.httpserver.maxRspTime", "10");
    limit("sun.net.httpserver.maxIdleConnections", "16");
  }

  private final HttpServer server;
  private final ExecutorService threads;
  private final CollectorRegistry registry = new CollectorRegistry();
  private final ObservedNode node;

  private MetricsServer(HttpServer server, ObservedNode node) {
    this.server = server;
    this.node = node;
    this.threads = Executors.newFixedThreadPool(THREADS, MetricsServer::daemon);
    new NodeCollector(node).register(registry);
    DefaultExports.register(registry);
    server.setExecutor(threads);
    server.createContext("/", this::handle);
  }

  /**
   * Starts serving.
   *
   * @param port 0 for any free one, see {@link #port()}
   * @throws IOException when it cannot listen there; the message says what to change
   */
  public static MetricsServer start(String address, int port, ObservedNode node)
      throws IOException {
    HttpServer server;
    try {
      server =
          HttpServer.create(new InetSocketAddress(InetAddress.getByName(address), port), BACKLOG);
    } catch (UnknownHostException unknown) {
      throw new IOException(
          "metrics.address=%s is no address of this host; give one, or 0.0.0.0 for all"
              .formatted(address),
          unknown);
    } catch (IOException refused) {
      throw new IOException(
          "metrics.port=%d cannot be listened on at metrics.address=%s (%s); set another port, 0 for any free one, or metrics.enabled to false"
              .formatted(port, address, refused.getMessage()),
          refused);
    }
    MetricsServer metrics = new MetricsServer(server, node);
    server.start();
    return metrics;
  }

  /** The port it listens on. */
  public int port() {
    return server.getAddress().getPort();
  }

  /** Stops serving; requests that are being answered are cut off. */
  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String method = exchange.getRequestMethod();
      if (!method.equals("GET") && !method.equals("HEAD")) {
        exchange.getResponseHeaders().set("Allow", "GET, HEAD");
        answer(exchange, 405, PLAIN, "method " + method + " is not allowed, use GET\n");
        return;
      }
      switch (exchange.getRequestURI().getPath()) {
        case "/metrics" -> metrics(exchange);
        case "/live" -> probe(exchange, node::notLive);
        case "/ready" -> probe(exchange, node::notReady);
        default -> answer(exchange, 404, PLAIN, "not here; there are /metrics, /live, /ready\n");
      }
    }
  }

  private void metrics(HttpExchange exchange) throws IOException {
    String type = TextFormat.chooseContentType(exchange.getRequestHeaders().getFirst("Accept"));
    StringWriter text = new StringWriter();
    try {
      TextFormat.writeFormat(type, text, registry.metricFamilySamples());
    } catch (RuntimeException failure) {
      LOG.warn("could not collect metrics", failure);
      answer(exchange, 500, PLAIN, oneLine("could not collect metrics: " + failure));
      return;
    }
    answer(exchange, 200, type, text.toString());
  }

  private static void probe(HttpExchange exchange, Supplier<Optional<String>> problem)
      throws IOException {
    Optional<String> reason;
    try {
      reason = problem.get();
    } catch (RuntimeException failure) {
      LOG.warn("could not answer {}", exchange.getRequestURI().getPath(), failure);
      reason = Optional.of(failure.toString());
    }
    if (reason.isPresent()) {
      answer(exchange, 503, PLAIN, oneLine(reason.get()));
    } else {
      answer(exchange, 200, PLAIN, "ok\n");
    }
  }

  private static void answer(HttpExchange exchange, int status, String type, String text)
      throws IOException {
    byte[] body = text.getBytes(UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.sendResponseHeaders(status, -1);
      return;
    }
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\R", " ") + "\n";
  }

  private static Thread daemon(Runnable task) {
    Thread thread = new Thread(task, "training-day-metrics");
    thread.setDaemon(true);
    return thread;
  }

  private static void limit(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }
}
