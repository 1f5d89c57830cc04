package io.trainingday.node.capacity;

import io.trainingday.config.Settings;
import java.util.OptionalLong;

/** The arithmetic that a node does with its memory when it starts, for tests of who foresees it. */
public final class NodeMemory {
  private NodeMemory() {}

  /**
   * What a node in such a container makes of its settings.
   *
   * @throws io.trainingday.config.SettingsException when they do not fit, as the node would
   */
  public static Settings resolve(
      Settings settings, long limitBytes, long heapBytes, long directBytes) {
    return MemoryPlan.resolve(
        settings,
        new MemoryPlan.Found(OptionalLong.of(limitBytes), limitBytes, heapBytes, directBytes));
  }
}
