package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** A Redis server of the bench's own: loopback, a free port, nothing written to disk. */
final class RedisServer implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1";
  private static final Duration START_TIMEOUT = Duration.ofSeconds(10);
  private static final int STOP_SECONDS = 5;
  private static final int PAUSE_MILLIS = 20;

  private final Process process;
  private final Path log;
  private final int port;

  private RedisServer(Process process, Path log, int port) {
    this.process = process;
    this.log = log;
    this.port = port;
  }

  /** Where a {@code redis-server} is on the PATH, if there is one. */
  static Optional<Path> executable() {
    String path = System.getenv().getOrDefault("PATH", "");
    return Arrays.stream(path.split(File.pathSeparator))
        .map(directory -> Path.of(directory, "redis-server"))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /**
   * @throws BenchException when it does not answer; the message holds what it printed
   */
  static RedisServer start(Path executable) {
    int port = FreePort.find();
    try {
      Path log = Files.createTempFile("training-day-redis", ".log");
      Process process =
          new ProcessBuilder(
                  List.of(
                      executable.toString(),
                      "--bind",
                      LOOPBACK,
                      "--port",
                      Integer.toString(port),
                      "--save",
                      "",
                      "--appendonly",
                      "no",
                      "--daemonize",
                      "no"))
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      RedisServer server = new RedisServer(process, log, port);
      try {
        server.awaitAnswer();
      } catch (BenchException silent) {
        server.close();
        throw silent;
      }
      return server;
    } catch (IOException failure) {
      throw new BenchException("could not start " + executable + ": " + failure.getMessage());
    }
  }

  Jedis connect() {
    return new Jedis(LOOPBACK, port, (int) START_TIMEOUT.toMillis());
  }

  private void awaitAnswer() throws IOException {
    long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
    while (!answers()) {
      if (exitsWithin(PAUSE_MILLIS) || System.nanoTime() - deadline > 0) {
        throw new BenchException(
            "redis-server did not come up: " + Files.readString(log, StandardCharsets.UTF_8));
      }
    }
  }

  private boolean answers() {
    try (Jedis jedis = connect()) {
      return jedis.ping().equals("PONG");
    } catch (JedisConnectionException notYet) {
      return false;
    }
  }

  private boolean exitsWithin(int millis) {
    try {
      return process.waitFor(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new BenchException("interrupted", stop);
    }
  }

  @Override
  public void close() {
    process.destroy();
    if (!exitsWithin((int) TimeUnit.SECONDS.toMillis(STOP_SECONDS))) {
      process.destroyForcibly();
    }
    log.toFile().delete();
  }
}
