package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import org.junit.jupiter.api.Test;

class DatasetsTextTest {
  @Test
  void datasets_areATable() throws Exception {
    String json =
        """
        [{"name": "pets", "generation": 3, "pipelines": 2, "entries": 12345, "bytes": 1572864,
          "hosts": ["host-a", "host-b"]},
         {"name": "a data set with quite a long name", "generation": 0, "pipelines": ["p"],
          "entries": 0, "bytes": 0, "hosts": []}]
        """;

    assertThat(DatasetsText.of(new JsonMapper().readTree(json)).lines())
        .containsExactly(
            "data set                          generation pipelines        entries         held  hosts",
            "pets                                       3         2         12,345      1.5 MiB  host-a, host-b",
            "a data set with quite a long name          0         1              0          0 B");
  }

  @Test
  void datasets_ofAnotherVersion_areShownAsFarAsItGoes() throws Exception {
    assertThat(DatasetsText.of(new JsonMapper().readTree("[{\"name\": \"x\"}]")))
        .contains("x                             0         0              0          0 B");
  }

  @Test
  void datasets_none_saysSo() throws Exception {
    assertThat(DatasetsText.of(new JsonMapper().readTree("[]")))
        .isEqualTo("no data set has been opened");
  }
}
