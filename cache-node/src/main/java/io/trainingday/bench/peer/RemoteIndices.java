package io.trainingday.bench.peer;

import io.trainingday.bench.path.BenchException;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.lane.LaneAccess;
import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.OpenReply;
import io.trainingday.lane.OwnersMessage;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** Finds samples that another node holds, by the ownership table of the node that is asked. */
final class RemoteIndices {
  private static final long ANSWER_NANOS = TimeUnit.SECONDS.toNanos(5);
  private static final long SETTLE_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final long LOOK_MILLIS = 100;

  private RemoteIndices() {}

  /**
   * The smallest indices that are not the asked node's own.
   *
   * @throws BenchException if the two nodes do not come to hold what is theirs
   */
  static long[] find(String address, int count) {
    try (LaneConnection lane =
        LaneConnection.open(
            new LaneAddress(address, "the bench"),
            LaneMessage.Role.TRAINER,
            LaneAccess.OPEN,
            "bench peer",
            new LaneMemory(0),
            ANSWER_NANOS)) {
      Open open = new Open(1, "", "training-day-bench-owners", "none", "", Open.BACKUPS_AS_KEPT);
      int handle = ((OpenReply) lane.call(open, deadline(ANSWER_NANOS)).message()).handle();
      OwnersMessage.Reply owners = settled(lane, handle);
      return LongStream.iterate(0, index -> index + 1)
          .filter(index -> !isLocal(owners, index))
          .limit(count)
          .toArray();
    } catch (IOException | LaneException failure) {
      throw new BenchException("no ownership table: " + failure.getMessage(), failure);
    }
  }

  private static long deadline(long nanos) {
    return System.nanoTime() + nanos;
  }

  private static boolean isLocal(OwnersMessage.Reply owners, long index) {
    int partition = BoundedLoadAffinity.partition(index, owners.primaries().length);
    return owners.members().get(owners.primaries()[partition]).local();
  }

  private static OwnersMessage.Reply settled(LaneConnection lane, int handle) throws IOException {
    long deadline = deadline(SETTLE_NANOS);
    while (true) {
      OwnersMessage.Reply owners =
          (OwnersMessage.Reply)
              lane.call(new OwnersMessage.Request(handle), deadline(ANSWER_NANOS)).message();
      if (owners.members().size() == 2 && isSettled(owners)) {
        return owners;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new BenchException("the two nodes do not share out the samples: " + owners);
      }
      pause();
    }
  }

  /** Whether each node holds its share, by its memory, to a partition. */
  private static boolean isSettled(OwnersMessage.Reply owners) {
    List<OwnersMessage.Member> members = owners.members();
    double all = members.stream().mapToDouble(OwnersMessage.Member::budgetBytes).sum();
    return IntStream.range(0, members.size())
        .allMatch(
            member -> {
              double share = owners.primaries().length * (members.get(member).budgetBytes() / all);
              long held = IntStream.of(owners.primaries()).filter(p -> p == member).count();
              return Math.abs(held - share) <= 1;
            });
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new BenchException("interrupted", stop);
    }
  }
}
