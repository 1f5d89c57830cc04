package io.trainingday.node.peer;

/** Answers pings. Called on an event loop: must not block. */
@FunctionalInterface
public interface PingListener {
  Pong pinged(Ping ping);
}
