package io.trainingday.node.lane;

import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.versions.AdminApi;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.SourceIdentity;
import java.util.Optional;

/** Does what administrators ask for; blocks. */
final class Administration {
  private Administration() {}

  /**
   * The answer to a request.
   *
   * @throws LaneException REFUSED when the request does not fit the data set
   */
  static LaneMessage answer(AdminApi api, Grant grant, AdminMessage request) {
    String tenant = grant.tenant();
    if (!(request instanceof AdminMessage.Datasets)) {
      requireGrant(grant, dataset(request).orElse(""));
    }
    try {
      if (request instanceof AdminMessage.Datasets) {
        return new AdminMessage.DatasetsReply(api.datasetsJson(tenant));
      }
      if (request instanceof AdminMessage.Configure configure) {
        return new AdminMessage.Configured(
            api.configure(tenant, configure.name(), configure.settings()));
      }
      return AdminMessage.Published.to(request, generation(api, tenant, request));
    } catch (DatasetRefusedException e) {
      throw new LaneException(Code.REFUSED, String.valueOf(e.getMessage()));
    }
  }

  private static void requireGrant(Grant grant, String dataset) {
    if (!grant.datasets().mayAdminister(dataset)) {
      throw new Denial(
          RefusalReason.GRANT,
          "data set \"%s\" is not granted to this token for administration; take one with admin: of it"
              .formatted(dataset));
    }
  }

  /** The one data set a request is about; empty if there is no such one. */
  static Optional<String> dataset(AdminMessage request) {
    if (request instanceof AdminMessage.Publish publish) {
      return Optional.of(publish.name());
    } else if (request instanceof AdminMessage.PublishChanged changed) {
      return Optional.of(changed.name());
    } else if (request instanceof AdminMessage.PublishManifest manifest) {
      return Optional.of(manifest.name());
    } else if (request instanceof AdminMessage.Invalidate invalidate) {
      return Optional.of(invalidate.name());
    } else if (request instanceof AdminMessage.Configure configure) {
      return Optional.of(configure.name());
    }
    return Optional.empty();
  }

  private static long generation(AdminApi api, String tenant, AdminMessage request) {
    if (request instanceof AdminMessage.Publish publish) {
      return api.publish(
          tenant,
          publish.name(),
          publish.requestId(),
          publish.newSource()
              ? Optional.of(new SourceIdentity(publish.sourceLength(), publish.sourceDigest()))
              : Optional.empty());
    }
    if (request instanceof AdminMessage.PublishChanged changed) {
      return api.publishChanged(tenant, changed.name(), changed.requestId(), changed.indices());
    }
    if (request instanceof AdminMessage.PublishManifest manifest) {
      return api.publishManifest(
          tenant, manifest.name(), manifest.requestId(), manifest.indices(), manifest.stamps());
    }
    if (request instanceof AdminMessage.Invalidate invalidate) {
      return api.invalidate(tenant, invalidate.name(), invalidate.indices());
    }
    throw new LaneException(
        Code.MALFORMED, "message type %d is no request".formatted(request.type()));
  }
}
