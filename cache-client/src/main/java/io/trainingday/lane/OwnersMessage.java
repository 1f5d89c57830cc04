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
   * @param topologyVersion grows with every change of members and primaries; tables of equal
   *     version have equal ones on all nodes
   * @param copies per partition the places in {@code members} of the nodes that hold all of it, its
   *     primary first; empty when no data set was asked about
   */
  record Reply(long topologyVersion, List<Member> members, int[][] copies)
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
          new BodyWriter(16 + members.size() * 96 + copies.length * 4)
              .i64(topologyVersion)
              .u32(copies.length)
              .u32(members.size());
      for (Member member : members) {
        out.utf8(member.name)
            .utf8(member.hostId)
            .utf8(member.laneAddress)
            .i64(member.budgetBytes)
            .u8(member.local ? 1 : 0);
      }
      for (int[] holders : copies) {
        out.u16(holders.length);
        for (int holder : holders) {
          out.u16(holder);
        }
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
      int[][] copies = new int[partitions][];
      for (int p = 0; p < partitions; p++) {
        copies[p] = holders(body, count);
      }
      return new Reply(topologyVersion, members, copies);
    }

    private static int[] holders(Body body, int members) {
      int count = body.u16();
      if (count < 1 || count > members) {
        throw body.malformed("copies=%d, allowed: 1 to members=%d".formatted(count, members));
      }
      int[] holders = new int[count];
      for (int i = 0; i < count; i++) {
        holders[i] = body.u16();
        if (holders[i] >= members) {
          throw body.malformed("copy=%d >= members=%d".formatted(holders[i], members));
        }
      }
      return holders;
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
