{{/* The pod of a cache node, whichever controller makes it. */}}
{{- define "training-day.pod" -}}
{{- $samples := include "training-day.samplesMib" . -}}
{{- $daemon := eq .Values.mode "DaemonSet" -}}
metadata:
  labels:
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "training-day.selector" . | nindent 4 }}
  annotations:
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    # Settings that a node which runs does not take over: a change of them replaces pods.
    training-day/settings: {{ include "training-day.settingsAtStart" . | sha256sum }}
    # What a node will have for samples, of resources.memory.
    training-day/samples: {{ printf "%sMiB" $samples }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.serviceAccountName }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- $selector := default (dict) .Values.nodeSelector }}
  {{- if and $daemon .Values.gpuHosts }}
  {{- $selector = merge (dict "nvidia.com/gpu.present" "true") $selector }}
  {{- end }}
  {{- with $selector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $affinity := deepCopy (default (dict) .Values.affinity) }}
  {{- if not $daemon }}
  {{- $apart := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "training-day.selector" . | fromYaml)) }}
  {{- $pods := default (dict) $affinity.podAntiAffinity }}
  {{- $rules := append (default (list) $pods.requiredDuringSchedulingIgnoredDuringExecution) $apart }}
  {{- $_ := set $pods "requiredDuringSchedulingIgnoredDuringExecution" $rules }}
  {{- $_ := set $affinity "podAntiAffinity" $pods }}
  {{- end }}
  {{- with $affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $tolerations := default (list) .Values.tolerations }}
  {{- if and $daemon .Values.gpuHosts }}
  {{- $tolerations = prepend $tolerations (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") }}
  {{- end }}
  {{- with $tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ .Values.podSecurity.runAsUser }}
    runAsGroup: {{ .Values.podSecurity.runAsGroup }}
    # Secrets and claims become readable by it; directories of the host are left as they are.
    fsGroup: {{ .Values.podSecurity.runAsGroup }}
    fsGroupChangePolicy: OnRootMismatch
    supplementalGroups:
      {{- range include "training-day.tenants" . | fromYamlArray }}
      - {{ int64 .gid }}
      {{- end }}
    seccompProfile:
      type: RuntimeDefault
    {{- with .Values.podSecurity.seLinuxLevel }}
    seLinuxOptions:
      level: {{ . | quote }}
    {{- end }}
  {{- if include "training-day.needsPreparation" . }}
  initContainers:
    # The kubelet makes directories of the host as root's, before or after the node is there. They
    # become the node's, and its trainers' group may do no more than pass through: who could write
    # there could put a socket of its own in the place of the node's.
    - name: directories
      image: {{ include "training-day.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command:
        - /bin/sh
        - -c
        - |
          prepare() {
            mkdir -p "$1"
            [ "$(stat -c '%u:%g %a' "$1")" = "$2 $3" ] || { chown "$2" "$1" && chmod "$3" "$1"; } || {
              echo "$1 cannot be given to $2 with mode $3: do so on the host" >&2
              exit 1
            }
          }
          {{- if include "training-day.mountsHost" . }}
          {{- range include "training-day.tenants" . | fromYamlArray }}
          prepare /run/training-day{{ .directory }} {{ $.Values.podSecurity.runAsUser }}:{{ int64 .gid }} {{ ternary 2711 2710 (and (not .directory) (gt (len $.Values.lane.tenants) 0)) }}
          {{- end }}
          {{- end }}
          {{- if eq .Values.disk.type "hostPath" }}
          prepare /var/lib/training-day {{ .Values.podSecurity.runAsUser }}:{{ .Values.podSecurity.runAsGroup }} 700
          {{- end }}
      securityContext:
        runAsNonRoot: false
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
          # To give away, and to look again into what has been given away.
          add: [CHOWN, DAC_OVERRIDE, FOWNER]
      resources:
        requests:
          memory: 32Mi
          cpu: 10m
        limits:
          memory: 32Mi
      volumeMounts:
        {{- if include "training-day.mountsHost" . }}
        - name: lane
          mountPath: /run/training-day
        {{- end }}
        {{- if eq .Values.disk.type "hostPath" }}
        - name: disk
          mountPath: /var/lib/training-day
        {{- end }}
  {{- end }}
  containers:
    - name: node
      image: {{ include "training-day.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/training-day/training-day.yaml]
      env:
        - name: TRAINING_DAY_CONFIG_GRID_LOCAL_ADDRESS
          valueFrom:
            fieldRef:
              fieldPath: status.podIP
        # A node keeps its name: that of its host, or, with a claim that may move to another host,
        # that of its pod.
        - name: TRAINING_DAY_CONFIG_GRID_HOST_ID
          valueFrom:
            fieldRef:
              fieldPath: {{ ternary "spec.nodeName" "metadata.name" $daemon }}
        {{- with .Values.zoneLabel }}
        # Empty where the pod has no such label, which the image takes for unset.
        - name: TRAINING_DAY_CONFIG_GRID_ZONE
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['{{ . }}']
        {{- end }}
        {{- if .Values.tls.secretName }}
        # Certificates are for names, so nodes are reached by theirs.
        {{- if $daemon }}
        - name: TRAINING_DAY_LANE_DOMAIN
          value: {{ include "training-day.nodesHost" . }}
        {{- else }}
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: TRAINING_DAY_CONFIG_LANE_TCP_ADDRESS
          value: $(POD_NAME).{{ include "training-day.nodesHost" . }}
        {{- end }}
        {{- end }}
        - name: TRAINING_DAY_JAVA_OPTS
          value: {{ printf "-Xmx%sm -XX:MaxDirectMemorySize=%sm %s" (include "training-day.mib" .Values.jvm.heap) (include "training-day.mib" .Values.jvm.directMemory) (join " " .Values.jvm.extraArgs) | trim | quote }}
      ports:
        - name: lane
          containerPort: {{ .Values.ports.lane }}
        - name: metrics
          containerPort: {{ .Values.ports.metrics }}
        - name: discovery
          containerPort: {{ .Values.ports.discovery }}
        - name: communication
          containerPort: {{ .Values.ports.communication }}
      startupProbe:
        httpGet:
          path: /live
          port: metrics
        {{- toYaml .Values.probes.startup | nindent 8 }}
        timeoutSeconds: 2
      livenessProbe:
        httpGet:
          path: /live
          port: metrics
        {{- toYaml .Values.probes.liveness | nindent 8 }}
        timeoutSeconds: 5
      readinessProbe:
        httpGet:
          path: /ready
          port: metrics
        {{- toYaml .Values.probes.readiness | nindent 8 }}
        timeoutSeconds: 2
      resources:
        requests:
          memory: {{ .Values.resources.memory }}
          cpu: {{ .Values.resources.cpuRequest | quote }}
        limits:
          memory: {{ .Values.resources.memory }}
          {{- with .Values.resources.cpuLimit }}
          cpu: {{ . | quote }}
          {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: settings
          mountPath: /etc/training-day
          readOnly: true
        - name: lane
          mountPath: /run/training-day
        - name: tmp
          mountPath: /tmp
        {{- if ne .Values.disk.type "none" }}
        - name: disk
          mountPath: /var/lib/training-day
        {{- end }}
        {{- if .Values.tls.secretName }}
        - name: tls
          mountPath: /etc/training-day-tls
          readOnly: true
        {{- end }}
        {{- if .Values.gridTls.secretName }}
        - name: grid-tls
          mountPath: /etc/training-day-grid-tls
          readOnly: true
        {{- end }}
        {{- if .Values.tokens.secretName }}
        - name: tokens
          mountPath: /etc/training-day-tokens
          readOnly: true
        {{- end }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "training-day.fullname" . }}
    - name: lane
      {{- if include "training-day.mountsHost" . }}
      hostPath:
        path: {{ .Values.lane.hostPath }}
        type: DirectoryOrCreate
      {{- else }}
      # For the command line inside this pod.
      emptyDir:
        medium: Memory
        sizeLimit: {{ printf "%sMi" (include "training-day.mib" (dig "lane" "slots" "maxBytes" "1GiB" .Values.settings)) }}
      {{- end }}
    # Native libraries that the JVM unpacks, and Ignite's work directory.
    - name: tmp
      emptyDir:
        sizeLimit: 512Mi
    {{- if eq .Values.disk.type "hostPath" }}
    - name: disk
      hostPath:
        path: {{ .Values.disk.hostPath }}
        type: DirectoryOrCreate
    {{- end }}
    {{- with .Values.tls.secretName }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.gridTls.secretName }}
    - name: grid-tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.tokens.secretName }}
    - name: tokens
      secret:
        secretName: {{ . }}
        defaultMode: 0440
        items:
          - key: {{ $.Values.tokens.key }}
            path: tokens
    {{- end }}
{{- end -}}
