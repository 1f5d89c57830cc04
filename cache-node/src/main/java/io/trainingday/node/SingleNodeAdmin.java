package io.trainingday.node;

import io.trainingday.node.versions.AdminApi;
import io.trainingday.node.versions.SourceIdentity;
import io.trainingday.node.versions.VersionKeys;
import java.util.Optional;
import java.util.UUID;

/** What the version keys can do by themselves; no manifests. */
final class SingleNodeAdmin implements AdminApi {
  private final VersionKeys versions;

  SingleNodeAdmin(VersionKeys versions) {
    this.versions = versions;
  }

  @Override
  public long publish(
      String tenant, String name, String requestId, Optional<SourceIdentity> newSource) {
    return versions.publish(tenant, name, requestId, newSource.orElseThrow());
  }

  @Override
  public long publishChanged(String tenant, String name, String requestId, long[] indices) {
    return versions.publishChanged(tenant, name, requestId, indices);
  }

  @Override
  public long publishManifest(
      String tenant, String name, String requestId, long[] indices, String[] stamps) {
    throw new UnsupportedOperationException("this node keeps no manifests");
  }

  @Override
  public long invalidate(String tenant, String name, long[] indices) {
    return versions.publishChanged(tenant, name, UUID.randomUUID().toString(), indices);
  }

  @Override
  public String datasetsJson(String tenant) {
    return "[]";
  }
}
