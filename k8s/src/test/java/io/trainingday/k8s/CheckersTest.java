package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What checks the chart would find what is wrong. */
class CheckersTest {
  private static final String POD =
      """
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: one
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
      volumes:
        - name: tmp
          emptyDir: {}
      """;

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          /                              | {}                                              | restricted
          /                              | {hostNetwork: true}                             | privileged
          /                              | {hostPID: true}                                 | privileged
          /                              | {volumes: [{name: a, hostPath: {path: /}}]}     | privileged
          /                              | {volumes: [{name: a, nfs: {path: /}}]}          | baseline
          /securityContext               | {runAsNonRoot: false}                           | baseline
          /securityContext               | {runAsUser: 0}                                  | baseline
          /securityContext               | {seccompProfile: null}                          | baseline
          /securityContext               | {seccompProfile: {type: Unconfined}}            | privileged
          /securityContext               | {seLinuxOptions: {type: spc_t}}                 | privileged
          /securityContext               | {seLinuxOptions: {level: s0}}                   | restricted
          /containers/0                  | {ports: [{hostPort: 80}]}                       | privileged
          /containers/0/securityContext  | {privileged: true}                              | privileged
          /containers/0/securityContext  | {allowPrivilegeEscalation: true}                | baseline
          /containers/0/securityContext  | {runAsNonRoot: false}                           | baseline
          /containers/0/securityContext  | {capabilities: {}}                              | baseline
          /containers/0/securityContext  | {capabilities: {drop: [ALL], add: [CHOWN]}}     | baseline
          /containers/0/securityContext  | {capabilities: {drop: [ALL], add: [SYS_ADMIN]}} | privileged
          """)
  void podSecurity_isTheLeastLevelThatAdmits(String where, String change, String level) {
    ObjectNode pod = (ObjectNode) Chart.yaml(POD);
    JsonNode place = where.equals("/") ? pod : pod.at(where);
    ((ObjectNode) place).setAll((ObjectNode) Chart.yaml(change));
    assertThat(PodSecurity.of(pod)).hasToString(level);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {replcas: 3}                                   | replcas
          {replicas: three}                              | three
          {updateStrategy: {rollingUpdate: {maxSurg: 1}}} | maxSurg
          {selector: null}                               | selector
          """)
  void kubernetesModels_findWhatAServerWouldRefuse(String change, String named) {
    ObjectNode object =
        (ObjectNode)
            Chart.yaml(
                """
                apiVersion: apps/v1
                kind: StatefulSet
                metadata: {name: a}
                spec:
                  replicas: 3
                  serviceName: a
                  selector: {matchLabels: {a: b}}
                  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: one}]}}
                """);
    assertThat(KubernetesModels.problem(object)).isEmpty();
    ObjectNode spec = (ObjectNode) object.path("spec");
    spec.setAll((ObjectNode) Chart.yaml(change));
    spec.removeIf(JsonNode::isNull);
    assertThat(KubernetesModels.problem(object))
        .hasValueSatisfying(why -> assertThat(why).contains(named));
  }

  @Test
  void kubernetesModels_knowKindsByTheirVersion() {
    assertThat(KubernetesModels.problem(Chart.yaml("{apiVersion: apps/v1beta1, kind: DaemonSet}")))
        .hasValueSatisfying(why -> assertThat(why).contains("apps/v1beta1"));
    assertThat(KubernetesModels.problem(Chart.yaml("{apiVersion: v1, kind: Sercive}"))).isPresent();
  }

  @Test
  void monitoringModels_findUnknownFields() {
    assertThat(
            MonitoringModels.problem(
                Chart.yaml(
                    """
                    apiVersion: monitoring.coreos.com/v1
                    kind: ServiceMonitor
                    spec: {selector: {matchLabels: {a: b}}, endpoints: [{prot: metrics}]}
                    """)))
        .contains("{spec.endpoints[0].prot=is not known}");
  }
}
