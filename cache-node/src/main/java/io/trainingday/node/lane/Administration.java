package io.trainingday.node.lane;

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
   * @throws LaneException REFUSED when the request does not fit the data set
   */
  static LaneMessage answer(
      AdminApi api, Inquiries inquiries, String tenant, AdminMessage request) {
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
      return AdminMessage.Published.to(request, generation(api, tenant, request));
    } catch (DatasetRefusedException e) {
      throw new LaneException(Code.REFUSED, String.valueOf(e.getMessage()));
    }
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
