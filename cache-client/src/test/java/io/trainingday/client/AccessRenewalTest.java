package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.lane.LaneTls;
import io.trainingday.lane.TestCertificates;
import io.trainingday.lane.TestCertificates.Identity;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trainer's certificate that is renewed while it trains. */
class AccessRenewalTest {
  @Test
  void files_thatChange_countForTheNextConnection_brokenOnesDoNot(@TempDir Path directory)
      throws Exception {
    Identity old = TestCertificates.selfSigned(directory, "old", "dns:trainer");
    Identity renewed = TestCertificates.selfSigned(directory, "renewed", "dns:trainer");
    Path certificate = Files.copy(old.certificate(), directory.resolve("tls.crt"));
    Path key = Files.copy(old.key(), directory.resolve("tls.key"));
    Access access =
        Access.of(
            TrainingCache.Config.builder()
                .tlsTrust(old.certificate())
                .tlsCertificate(certificate)
                .tlsKey(key)
                .build(),
            Map.of());
    LaneTls before = access.now().tls();
    assertThat(access.now().tls()).isSameAs(before);

    replace(certificate, renewed.certificate());
    assertThat(access.now().tls()).as("the key is not there yet").isSameAs(before);
    replace(key, renewed.key());
    LaneTls after = access.now().tls();
    assertThat(after).isNotSameAs(before);
    assertThat(access.now().tls()).isSameAs(after);

    Files.delete(key);
    assertThat(access.now().tls()).isSameAs(after);
  }

  private static void replace(Path file, Path by) throws Exception {
    Path next = Files.copy(by, file.resolveSibling("next"));
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
