package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.node.inquiry.Inquiries;
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
   * @param grants of the way by which the request came
   * @param grant of the connection
   * @throws LaneException REFUSED when the request does not fit the data set
   */
  static LaneMessage answer(
      LaneServices services,
      LaneLatencies latencies,
      Grants grants,
      Grant grant,
      AdminMessage request) {
    AdminApi api = services.admin();
    Inquiries inquiries = services.inquiries();
    String tenant = grant.tenant();
    if (request instanceof AdminMessage.Drain || request instanceof AdminMessage.Verify) {
      requireNode(grant);
    }
    dataset(request)
        .ifPresent(
            name -> {
              grants.requireOwn(grant, name);
              requireGrant(grant, name);
            });
    try {
      if (request instanceof AdminMessage.Explain explain) {
        return AdminMessage.Told.to(
            request, inquiries.explain(tenant, explain.name(), explain.index()));
      }
      if (request instanceof AdminMessage.Verify verify) {
        return AdminMessage.Told.to(
            request,
            switch (verify.action()) {
              case START -> inquiries.verify(verify.bytesPerSecond());
              case LOOK -> inquiries.verified();
              case STOP -> inquiries.endVerify();
            });
      }
      if (request instanceof AdminMessage.Datasets) {
        return new AdminMessage.DatasetsReply(api.datasetsJson(tenant));
      }
      if (request instanceof AdminMessage.Configure configure) {
        return new AdminMessage.Configured(
            api.configure(tenant, configure.name(), configure.settings()));
      }
      if (request instanceof AdminMessage.Drain drain) {
        return AdminMessage.Told.to(request, services.drain().drain(drain.stop()));
      }
      long started = System.nanoTime();
      long generation = generation(api, tenant, request);
      latencies.publish(System.nanoTime() - started);
      return AdminMessage.Published.to(request, generation);
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

  /** A node serves all tenants: those of whom there may be several do not decide about it. */
  private static void requireNode(Grant grant) {
    if (!grant.datasets().admin().contains("*")) {
      throw new Denial(
          RefusalReason.GRANT,
          "the whole node is not granted to this token for administration; take one with admin:* or"
              + " without grants");
    }
    if (!grant.tenant().equals(Settings.Tenant.DEFAULT)) {
      throw new Denial(
          RefusalReason.TENANT,
          "the whole node is not the tenant %s's to administer; take a token or socket of the tenant %s"
              .formatted(grant.tenant(), Settings.Tenant.DEFAULT));
    }
  }

  /** The one data set a request is about; empty if there is no such one. */
  private static Optional<String> dataset(AdminMessage request) {
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
    } else if (request instanceof AdminMessage.Explain explain) {
      return Optional.of(explain.name());
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
