package io.trainingday.bench.peer;

import com.hazelcast.config.Config;
import com.hazelcast.config.JoinConfig;
import com.hazelcast.config.MapConfig;
import com.hazelcast.config.NetworkConfig;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.map.IMap;
import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.GetAllPath;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import java.util.Optional;

/** A Hazelcast member of the bench, on loopback. */
final class PeerHazelcast implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1";

  private final HazelcastInstance member;
  private final int port;

  private PeerHazelcast(HazelcastInstance member, int port) {
    this.member = member;
    this.port = port;
  }

  /**
   * Starts one.
   *
   * @param other address of the member to join as one that holds nothing, empty to found a cluster
   */
  static PeerHazelcast start(Optional<String> other) {
    int port = FreePort.find();
    Config config =
        new Config()
            .setClusterName("training-day-bench")
            .setLiteMember(other.isPresent())
            .addMapConfig(new MapConfig("*").setBackupCount(0))
            .setProperty("hazelcast.phone.home.enabled", "false")
            .setProperty("hazelcast.shutdownhook.enabled", "false")
            .setProperty("hazelcast.socket.bind.any", "false")
            .setProperty("hazelcast.local.localAddress", LOOPBACK)
            .setProperty("hazelcast.logging.type", "none");
    NetworkConfig network = config.getNetworkConfig().setPort(port).setPortAutoIncrement(false);
    JoinConfig join = network.getJoin();
    join.getAutoDetectionConfig().setEnabled(false);
    join.getMulticastConfig().setEnabled(false);
    join.getTcpIpConfig().setEnabled(true);
    other.ifPresent(join.getTcpIpConfig()::addMember);
    return new PeerHazelcast(Hazelcast.newHazelcastInstance(config), port);
  }

  /** Where others join it. */
  String address() {
    return LOOPBACK + ":" + port;
  }

  /** How many members its cluster has. */
  int members() {
    return member.getCluster().getMembers().size();
  }

  /** Loads a map, which goes with the path. */
  ReadPath getAll(Workload workload, Target target) {
    IMap<Long, byte[]> map = member.getMap("plain-" + workload.sampleBytes());
    for (long i = 0; i < workload.count(); i++) {
      map.set(i, workload.sample(i));
    }
    return new GetAllPath(target, map::get, map::getAll, map::destroy);
  }

  @Override
  public void close() {
    member.shutdown();
  }
}
