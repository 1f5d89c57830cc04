package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Who holds what: the nodes of the grid and the partitions that are theirs. */
// Arrays as in LaneMessage.
@SuppressWarnings("ArrayRecordComponent")
public sealed interface OwnersMessage extends LaneMessage {
  int MAX_MEMBERS = 65_535;
  int MAX_PARTITIONS = 65_536;

  /**
   * Asks for the table of a data set's number of backups; with {@link #NO_DATASET} for the members
   * alone.
   */
  record Request(int handle) implements OwnersMessage {
    public static final int NO_DATASET = -1;

    @Override
    public int type() {
      return 11;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      return new BodyWriter(8).u32(handle).u32(0).frame(type(), requestId, 0);
    }

    static Request read(Body body) {
      int handle = body.u32();
      if (handle < NO_DATASET) {
        throw body.malformed("handle=" + Integer.toUnsignedLong(handle));
      }
      body.zeros(4);
      return new Request(handle);
    }
  }

  /**
   * The table.
   *
   * @param topologyVersion grows with every change; tables of equal version are equal on all nodes
   * @param primaries per partition the place in {@code members} of the node that holds its first
   *     copy; empty when no data set was asked about
   */
  record Reply(long topologyVersion, List<Member> members, int[] primaries)
      implements OwnersMessage {
    public Reply {
      members = List.copyOf(members);
    }

    @Override
    public int type() {
      return 0x8B;
    }

    @Override
    public ByteBuffer frame(long requestId) {
      BodyWriter out =
          new BodyWriter(16 + members.size() * 96 + primaries.length * 2)
              .i64(topologyVersion)
              .u32(primaries.length)
              .u32(members.size());
      for (Member member : members) {
        out.utf8(member.name)
            .utf8(member.hostId)
            .utf8(member.laneAddress)
            .i64(member.budgetBytes)
            .u8(member.local ? 1 : 0);
      }
      for (int primary : primaries) {
        out.u16(primary);
      }
      return out.frame(type(), requestId, 0);
    }

    static Reply read(Body body) {
      long topologyVersion = body.i64();
      int partitions = body.count("partitions", 0, MAX_PARTITIONS);
      int count = body.count("members", 0, MAX_MEMBERS);
      List<Member> members = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        members.add(Member.read(body));
      }
      byte[] bytes = body.bytes(partitions * Short.BYTES);
      int[] primaries = new int[partitions];
      for (int p = 0; p < partitions; p++) {
        primaries[p] = (bytes[2 * p] & 0xFF) | (bytes[2 * p + 1] & 0xFF) << Byte.SIZE;
        if (primaries[p] >= count) {
          throw body.malformed("primary=%d >= members=%d".formatted(primaries[p], count));
        }
      }
      return new Reply(topologyVersion, members, primaries);
    }
  }

  /**
   * One cache node.
   *
   * @param name unique in the grid, the same after a restart
   * @param hostId of the host it runs on
   * @param laneAddress {@code HOST:PORT} of its lane over TCP, empty without one
   * @param budgetBytes of memory for samples
   * @param local whether it is the node that answers
   */
  record Member(String name, String hostId, String laneAddress, long budgetBytes, boolean local) {
    private static final int MAX_TEXT_BYTES = 512;

    static Member read(Body body) {
      String name = body.utf8("name", 1, MAX_TEXT_BYTES);
      String hostId = body.utf8("hostId", 0, MAX_TEXT_BYTES);
      String laneAddress = body.utf8("laneAddress", 0, MAX_TEXT_BYTES);
      long budgetBytes = body.u63("budgetBytes");
      int local = body.u8();
      if (local > 1) {
        throw body.malformed("local=" + local + ", allowed: 0, 1");
      }
      return new Member(name, hostId, laneAddress, budgetBytes, local == 1);
    }
  }
}
