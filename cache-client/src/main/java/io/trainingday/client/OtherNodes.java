package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.OwnersMessage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where else the lane is served, as the node we are attached to tells. Thread-safe. */
final class OtherNodes {
  private static final Logger LOG = LoggerFactory.getLogger(OtherNodes.class);

  private volatile List<LaneAddress> known = List.of();

  /** Asks; what is known stays as it is when there is no answer. */
  void askAt(Session session) {
    try {
      OwnersMessage.Reply reply =
          (OwnersMessage.Reply)
              session.call(new OwnersMessage.Request(OwnersMessage.Request.NO_DATASET)).message();
      List<LaneAddress> others = new ArrayList<>();
      for (OwnersMessage.Member member : reply.members()) {
        if (!member.local() && !member.laneAddress().isEmpty()) {
          others.add(
              LaneAddress.tcp(member.laneAddress(), "the cache node at " + session.address()));
        }
      }
      known = List.copyOf(others);
    } catch (IOException e) {
      LOG.debug("the other nodes are not known: {}", e.toString()); // The session has said so.
    } catch (LaneException | IllegalArgumentException e) {
      LOG.debug("the node at {} does not tell of others", session.address(), e);
    }
  }

  boolean isEmpty() {
    return known.isEmpty();
  }

  /** Each time in another order, so that trainers who lose a node do not all go to the same one. */
  List<LaneAddress> inRandomOrder() {
    List<LaneAddress> shuffled = new ArrayList<>(known);
    Collections.shuffle(shuffled);
    return shuffled;
  }
}
