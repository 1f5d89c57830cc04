package io.trainingday.node.lane;

import io.trainingday.lane.OwnersMessage;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Tells of the nodes of the grid and what they hold. */
final class Owners {
  private Owners() {}

  /** The members of a table without its partitions. */
  static OwnersMessage.Reply members(OwnershipTable table) {
    return new OwnersMessage.Reply(table.topologyVersion(), toWire(table.members()), new int[0][]);
  }

  /** All of a table. */
  static OwnersMessage.Reply all(OwnershipTable table) {
    Map<UUID, Integer> places = new HashMap<>();
    for (Member member : table.members()) {
      places.put(member.id(), places.size());
    }
    int[][] copies = new int[table.partitions()][];
    for (int partition = 0; partition < copies.length; partition++) {
      copies[partition] =
          table.copies(partition).stream().mapToInt(copy -> places.get(copy.id())).toArray();
    }
    return new OwnersMessage.Reply(table.topologyVersion(), toWire(table.members()), copies);
  }

  private static List<OwnersMessage.Member> toWire(List<Member> members) {
    return members.stream()
        .map(
            member ->
                new OwnersMessage.Member(
                    member.name(),
                    member.hostId(),
                    member.laneAddress().orElse(""),
                    member.budgetBytes(),
                    member.local()))
        .toList();
  }
}
