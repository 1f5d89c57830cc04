package io.trainingday.grid.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.TcpDiscoveryIpFinderAdapter;
import org.apache.ignite.ssl.SslContextFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.BeanWrapperImpl;

/** Ignite nodes in one JVM, which start faster than processes do and so race more closely. */
class GridDiscoveryTest {
  private static final int ROUNDS = 6;
  private static final int NODES = 3;
  private static final String PASSWORD = "changeit";

  private final List<Ignite> started = new CopyOnWriteArrayList<>();
  private final BlockingQueue<String> mustGo = new LinkedBlockingQueue<>();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Path temp;
  private Optional<SslContextFactory> tls = Optional.empty();
  private int number;

  GridDiscoveryTest(@TempDir Path temp) {
    this.temp = temp;
  }

  @AfterEach
  void stop() {
    started.forEach(node -> Ignition.stop(node.name(), true));
    threads.shutdownNow();
  }

  @Test
  void nodesSideBySide_makeOneGrid() throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      List<InetSocketAddress> addresses = freeAddresses(NODES);
      List<Future<Ignite>> starts = new ArrayList<>();
      for (InetSocketAddress own : addresses) {
        starts.add(threads.submit(() -> start(own, new Finder(addresses))));
      }
      for (Future<Ignite> start : starts) {
        assertThat(start.get().cluster().localNode().order()).isBetween(1L, (long) NODES);
      }
      assertOneGrid(NODES);
      started.forEach(node -> Ignition.stop(node.name(), true));
      started.clear();
    }
  }

  @Test
  void nodesSideBySide_withTls_makeOneGrid() throws Exception {
    tls = Optional.of(tls());
    List<InetSocketAddress> addresses = freeAddresses(2);
    Future<Ignite> one = threads.submit(() -> start(addresses.get(0), new Finder(addresses)));
    Future<Ignite> two = threads.submit(() -> start(addresses.get(1), new Finder(addresses)));
    one.get();
    two.get();
    assertOneGrid(2);
  }

  @Test
  void node_thatOnlyTheOtherKnows_isJoined() throws Exception {
    List<InetSocketAddress> addresses = freeAddresses(2);
    start(addresses.get(0), new Finder(addresses.subList(0, 1)));
    start(addresses.get(1), new Finder(addresses));
    assertOneGrid(2);
  }

  @Test
  void node_thatIsNotListed_waitsForOneThatIs() throws Exception {
    List<InetSocketAddress> addresses = freeAddresses(2);
    Finder seed = new Finder(addresses.subList(0, 1));
    Future<Ignite> waiting = threads.submit(() -> start(addresses.get(1), seed));
    seed.awaitAsked(8);
    assertThat(waiting).isNotDone();
    start(addresses.get(0), seed);
    waiting.get();
    assertOneGrid(2);
  }

  @Test
  void twoGrids_thatLearnOfEachOther_leaveTheOlder() throws Exception {
    List<InetSocketAddress> addresses = freeAddresses(2);
    Finder first = new Finder(addresses.subList(0, 1));
    Ignite older = start(addresses.get(0), first);
    Finder second = new Finder(addresses.subList(1, 2));
    Ignite younger = start(addresses.get(1), second);
    assertThat(older.cluster().nodes()).hasSize(1);
    assertThat(younger.cluster().nodes()).hasSize(1);

    // The older one alone is told: the younger one hears of it by being asked.
    first.set(addresses);
    assertThat(mustGo.poll(40, TimeUnit.SECONDS))
        .isEqualTo(
            "%s: this node is in a grid of 1 node, and a grid of 1 node is at %s; start it again,"
                    .formatted(addresses.get(1), Founding.text(addresses.get(0)))
                + " and it joins that one");
    assertThat(mustGo).isEmpty();
  }

  @Test
  void singleNode_founds_afterTwoRoundsWithoutAPause() throws Exception {
    List<InetSocketAddress> addresses = freeAddresses(1);
    Finder alone = new Finder(addresses);
    start(addresses.get(0), alone);
    // Beside the two rounds Ignite looks whether there are addresses, and whether its own is one.
    assertThat(alone.asked()).isEqualTo(4);
  }

  private Ignite start(InetSocketAddress own, Finder finder) throws IOException {
    int communicationPort = freeAddresses(1).get(0).getPort();
    int id;
    synchronized (this) {
      id = ++number;
    }
    GridDiscovery discovery =
        new GridDiscovery(
            false,
            Duration.ofSeconds(10),
            cause -> mustGo.add(own + ": " + cause),
            (from, why) -> {});
    discovery.setIpFinder(finder).setLocalPort(own.getPort()).setLocalPortRange(0);
    IgniteConfiguration configuration =
        new IgniteConfiguration()
            .setIgniteInstanceName("discovery-" + id)
            .setConsistentId("discovery-" + id)
            .setLocalHost(own.getAddress().getHostAddress())
            .setWorkDirectory(temp.resolve("work-" + id).toString())
            .setConnectorConfiguration(null)
            .setClientConnectorConfiguration(null)
            .setMetricsLogFrequency(0)
            .setFailureDetectionTimeout(10_000)
            .setCommunicationSpi(new TcpCommunicationSpi().setLocalPort(communicationPort))
            .setDiscoverySpi(discovery);
    // As an own Ignite XML does it.
    tls.ifPresent(
        factory ->
            new BeanWrapperImpl(configuration).setPropertyValue("sslContextFactory", factory));
    Ignite ignite = Ignition.start(configuration);
    started.add(ignite);
    return ignite;
  }

  private void assertOneGrid(int nodes) {
    assertThat(started)
        .hasSize(nodes)
        .allSatisfy(node -> assertThat(node.cluster().nodes()).hasSize(nodes));
    assertThat(mustGo).isEmpty();
  }

  private SslContextFactory tls() throws IOException, InterruptedException {
    Path store = temp.resolve("node.p12");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of("-genkeypair", "-alias", "node", "-keyalg", "EC"));
    command.addAll(List.of("-dname", "CN=node", "-storetype", "PKCS12", "-storepass", PASSWORD));
    command.addAll(List.of("-keystore", store.toString()));
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
    SslContextFactory factory = new SslContextFactory();
    factory.setKeyStoreFilePath(store.toString());
    factory.setKeyStoreType("PKCS12");
    factory.setKeyStorePassword(PASSWORD.toCharArray());
    factory.setTrustStoreFilePath(store.toString());
    factory.setTrustStoreType("PKCS12");
    factory.setTrustStorePassword(PASSWORD.toCharArray());
    return factory;
  }

  private static List<InetSocketAddress> freeAddresses(int count) throws IOException {
    List<ServerSocket> sockets = new ArrayList<>();
    try {
      List<InetSocketAddress> addresses = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        sockets.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
        addresses.add(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), sockets.get(i).getLocalPort()));
      }
      return addresses;
    } finally {
      for (ServerSocket socket : sockets) {
        socket.close();
      }
    }
  }

  /** Addresses that can change, and how often they were looked up. */
  private static final class Finder extends TcpDiscoveryIpFinderAdapter {
    private List<InetSocketAddress> addresses;
    private int asked;

    Finder(List<InetSocketAddress> addresses) {
      this.addresses = List.copyOf(addresses);
    }

    synchronized void set(List<InetSocketAddress> value) {
      addresses = List.copyOf(value);
    }

    synchronized int asked() {
      return asked;
    }

    synchronized void awaitAsked(int times) throws InterruptedException {
      while (asked < times) {
        wait();
      }
    }

    @Override
    public synchronized Collection<InetSocketAddress> getRegisteredAddresses() {
      asked++;
      notifyAll();
      return addresses;
    }

    @Override
    public void registerAddresses(Collection<InetSocketAddress> more) {
      throw new UnsupportedOperationException("this finder is not shared");
    }

    @Override
    public void unregisterAddresses(Collection<InetSocketAddress> less) {
      throw new UnsupportedOperationException("this finder is not shared");
    }
  }
}
