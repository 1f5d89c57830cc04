package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.k8s.PodNetwork.Place;
import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is left of networks of pods, and what is swept. */
class PodNetworkTest {
  private static final String OWN = PodNetwork.PREFIX + ProcessHandle.current().pid() + "-";

  @Test
  @Tag("root")
  void networks_ofOneProcess_haveNamesOfTheirOwnAndLeaveNone() throws IOException {
    try (PodNetwork one = new PodNetwork();
        PodNetwork other = new PodNetwork()) {
      Place ofOne = one.plugIn();
      assertThat(ofOne.namespace()).startsWith(OWN).isNotEqualTo(other.plugIn().namespace());
      assertThat(Tool.run("ip", "netns", "list")).contains(ofOne.namespace());
    }
    assertThat(Tool.run("ip", "netns", "list")).doesNotContain(OWN);
  }

  @Test
  void names_ofProcessesThatHaveEndedAreAbandoned() throws Exception {
    Process ended = new ProcessBuilder("true").start();
    ended.waitFor();
    assertThat(PodNetwork.isAbandoned(PodNetwork.PREFIX + ended.pid() + "-1-hub")).isTrue();
    assertThat(PodNetwork.isAbandoned(OWN + "1-hub")).isFalse();
    assertThat(PodNetwork.isAbandoned("td-pods-of-somebody")).isFalse();
    assertThat(PodNetwork.isAbandoned("td-" + OWN)).isFalse();
  }
}
