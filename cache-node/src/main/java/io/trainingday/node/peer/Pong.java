package io.trainingday.node.peer;

/**
 * The answer to a {@link Ping}.
 *
 * @param refused the answering node has seen the sender fail or leave
 * @param freeBytes what the answering node's admission could still take
 */
public record Pong(boolean refused, long freeBytes) {}
