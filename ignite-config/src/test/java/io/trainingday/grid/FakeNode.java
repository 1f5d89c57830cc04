package io.trainingday.grid;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.ignite.cluster.ClusterMetrics;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.lang.IgniteProductVersion;
import org.jspecify.annotations.Nullable;

/** A grid node that is nothing but its attributes. */
record FakeNode(UUID id, String name, long budget, String host, @Nullable String zone)
    implements ClusterNode {
  FakeNode(String name, long budget, String host, @Nullable String zone) {
    this(UUID.randomUUID(), name, budget, host, zone);
  }

  @Override
  public Map<String, Object> attributes() {
    Map<String, Object> attributes = new HashMap<>();
    attributes.put(NodeAttributes.BUDGET_BYTES, budget);
    attributes.put(NodeAttributes.HOST_ID, host);
    if (zone != null) {
      attributes.put(NodeAttributes.ZONE, zone);
    }
    return attributes;
  }

  @Override
  public Object consistentId() {
    return name;
  }

  @Override
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // The interface has it so.
  public <T> @Nullable T attribute(String name) {
    return (T) attributes().get(name);
  }

  @Override
  public ClusterMetrics metrics() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Collection<String> addresses() {
    return List.of();
  }

  @Override
  public Collection<String> hostNames() {
    return List.of();
  }

  @Override
  public long order() {
    return 0;
  }

  @Override
  public IgniteProductVersion version() {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean isLocal() {
    return false;
  }

  @Override
  public boolean isClient() {
    return false;
  }

  /** By id, as Ignite's nodes are. */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof FakeNode that && id.equals(that.id);
  }

  @Override
  public int hashCode() {
    return id.hashCode();
  }
}
