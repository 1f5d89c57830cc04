{{- define "training-day.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Leaves room for suffixes: a label of DNS has 63 characters at most. */}}
{{- define "training-day.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "training-day.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "training-day.nodesName" -}}
{{- printf "%s-nodes" (include "training-day.fullname" .) -}}
{{- end -}}

{{- define "training-day.nodesHost" -}}
{{- printf "%s.%s.svc.%s" (include "training-day.nodesName" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "training-day.serviceHost" -}}
{{- printf "%s.%s.svc.%s" (include "training-day.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{- define "training-day.instanceLabels" -}}
app.kubernetes.io/name: {{ include "training-day.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The pods of cache nodes, never the test's. No version: selectors cannot change. */}}
{{- define "training-day.selector" -}}
{{ include "training-day.instanceLabels" . }}
app.kubernetes.io/component: node
{{- end -}}

{{- define "training-day.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "training-day.instanceLabels" . }}
{{- end -}}

{{- define "training-day.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "training-day.mountsHost" -}}
{{- if ne .Values.lane.mount "none" -}}true{{- end -}}
{{- end -}}

{{/* All tenants, those of the values and the one that is always there: name, gid, namespaces,
directory. */}}
{{- define "training-day.tenants" -}}
- name: default
  gid: {{ int64 .Values.lane.gid }}
  namespaces: {{ .Values.trainerNamespaces | toJson }}
  directory: ""
{{- range .Values.lane.tenants }}
- name: {{ .name }}
  gid: {{ int64 .gid }}
  namespaces: {{ .namespaces | default list | toJson }}
  directory: /{{ .name }}
{{- end }}
{{- end -}}

{{/* Namespaces of all tenants. */}}
{{- define "training-day.trainerNamespaces" -}}
{{- $all := .Values.trainerNamespaces -}}
{{- range .Values.lane.tenants -}}
{{- $all = concat $all (.namespaces | default list) -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- define "training-day.needsPreparation" -}}
{{- if or (ne .Values.lane.mount "none") (eq .Values.disk.type "hostPath") -}}true{{- end -}}
{{- end -}}

{{- define "training-day.trafficPolicy" -}}
{{- default (ternary "Local" "Cluster" (eq .Values.mode "DaemonSet")) .Values.service.internalTrafficPolicy -}}
{{- end -}}

{{- define "training-day.updateStrategy" -}}
{{- if ne .Values.updateStrategy "auto" -}}
{{- .Values.updateStrategy -}}
{{- else -}}
{{- ternary "OnDelete" "RollingUpdate" (eq .Values.disk.type "none") -}}
{{- end -}}
{{- end -}}

{{/* MiB of a size: 16Gi, 16GiB, 512 MiB, 1048576B. */}}
{{- define "training-day.mib" -}}
{{- $text := . | toString | replace " " "" | trimSuffix "B" -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := regexReplaceAll "^[0-9]+" $text "" -}}
{{- if or (eq $unit "Ki") (eq $unit "K") -}}{{- div $number 1024 -}}
{{- else if or (eq $unit "Mi") (eq $unit "M") -}}{{- $number -}}
{{- else if or (eq $unit "Gi") (eq $unit "G") -}}{{- mul $number 1024 -}}
{{- else if or (eq $unit "Ti") (eq $unit "T") -}}{{- mul $number 1048576 -}}
{{- else -}}{{- div $number 1048576 -}}
{{- end -}}
{{- end -}}

{{/*
MiB that the container's memory leaves for samples, by the arithmetic a node does when it starts
(memory.maxSize: auto). Whatever does not fit is refused here, before anything is installed.
*/}}
{{- define "training-day.samplesMib" -}}
{{- $settings := .Values.settings -}}
{{- $limit := include "training-day.mib" .Values.resources.memory | int64 -}}
{{- $heap := include "training-day.mib" .Values.jvm.heap | int64 -}}
{{- $direct := include "training-day.mib" .Values.jvm.directMemory | int64 -}}
{{- $slots := include "training-day.mib" (dig "lane" "slots" "maxBytes" "1GiB" $settings) | int64 -}}
{{- $meta := include "training-day.mib" (dig "memory" "metaMaxSize" "128MiB" $settings) | int64 -}}
{{- $reserve := max 256 (div (add $limit 19) 20) -}}
{{- $left := sub $limit (add $heap $direct $slots $meta 128 $reserve) -}}
{{- $jvm := printf "jvm.heap=%dMiB - jvm.directMemory=%dMiB" $heap $direct -}}
{{- $own := printf "settings.lane.slots.maxBytes=%dMiB - settings.memory.metaMaxSize=%dMiB" $slots $meta -}}
{{- $rest := printf "Ignite's own regions=128MiB - reserve=%dMiB = %dMiB" $reserve $left -}}
{{- $sum := printf "resources.memory=%dMiB - %s - %s - %s" $limit $jvm $own $rest -}}
{{- $size := dig "memory" "maxSize" "2GiB" $settings -}}
{{- $samples := $left -}}
{{- if eq $size "auto" -}}
{{- if lt $left 64 -}}
{{- fail (printf "settings.memory.maxSize=auto has at least 64MiB left, but %s; raise resources.memory or lower the others" $sum) -}}
{{- end -}}
{{- else -}}
{{- $samples = include "training-day.mib" $size | int64 -}}
{{- if gt $samples $left -}}
{{- fail (printf "settings.memory.maxSize=%s > %s; lower it, set it to auto, or raise resources.memory" $size $sum) -}}
{{- end -}}
{{- end -}}
{{- $record := dig "lane" "maxRecordSize" "64MiB" $settings -}}
{{- if gt (mul 8 (include "training-day.mib" $record | int64)) $samples -}}
{{- fail (printf "settings.lane.maxRecordSize=%s > an eighth of the %dMiB for samples; lower it, or raise resources.memory: %s" $record $samples $sum) -}}
{{- end -}}
{{- $partitions := dig "grid" "partitions" 1024 $settings | int64 -}}
{{- if gt (mul $partitions 192) (mul $samples 1024) -}}
{{- fail (printf "settings.grid.partitions=%d x 96KiB > half of the %dMiB for samples; lower it, or raise resources.memory: %s" $partitions $samples $sum) -}}
{{- end -}}
{{- $samples -}}
{{- end -}}

{{/* What values contradict each other, in words; the schema has looked at each by itself. */}}
{{- define "training-day.validate" -}}
{{- $namespaces := include "training-day.trainerNamespaces" . | fromJsonArray -}}
{{- if and (eq .Values.lane.mount "persistentVolume") (not $namespaces) -}}
{{- fail "lane.mount=persistentVolume makes a claim in each of trainerNamespaces, which is empty; name the namespaces that train, or take lane.mount=hostPath or none" -}}
{{- end -}}
{{- if and .Values.lane.tenants (not .Values.tokens.secretName) -}}
{{- fail "lane.tenants need tokens.secretName: without tokens whoever comes by TCP is the tenant default and may do all" -}}
{{- end -}}
{{- range $namespace := $namespaces -}}
{{- if ne (len (without $namespaces $namespace)) (int (sub (len $namespaces) 1)) -}}
{{- fail (printf "namespace %s is named twice in trainerNamespaces and lane.tenants, a namespace trains for one tenant; leave one out" $namespace) -}}
{{- end -}}
{{- end -}}
{{- $names := dict -}}
{{- $groups := dict (toString (int64 .Values.podSecurity.runAsGroup)) "podSecurity.runAsGroup" -}}
{{- range $tenant := include "training-day.tenants" . | fromYamlArray -}}
{{- $gid := toString (int64 $tenant.gid) -}}
{{- if hasKey $names $tenant.name -}}
{{- fail (printf "tenant %s is named twice (default is always there), leave one out of lane.tenants" $tenant.name) -}}
{{- end -}}
{{- if hasKey $groups $gid -}}
{{- fail (printf "gid %s of tenant %s is that of %s, too, who could reach its directory; give each its own" $gid $tenant.name (get $groups $gid)) -}}
{{- end -}}
{{- $_ := set $names $tenant.name true -}}
{{- $_ := set $groups $gid (printf "tenant %s" $tenant.name) -}}
{{- end -}}
{{- if and (eq .Values.disk.type "persistentVolumeClaim") (ne .Values.mode "StatefulSet") -}}
{{- fail (printf "disk.type=persistentVolumeClaim needs mode=StatefulSet, mode=%s; take disk.type=hostPath, or the other mode" .Values.mode) -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled would scrape every node twice; enable one" -}}
{{- end -}}
{{- $ports := dict -}}
{{- range $name, $port := .Values.ports -}}
{{- $text := toString $port -}}
{{- if hasKey $ports $text -}}
{{- fail (printf "ports.%s=%s <> ports.%s=%s, give each its own port" $name $text (get $ports $text) $text) -}}
{{- end -}}
{{- $_ := set $ports $text $name -}}
{{- end -}}
{{- end -}}

{{/* What the chart works out and no value says. */}}
{{- define "training-day.ownSettings" -}}
grid:
  port: {{ .Values.ports.discovery }}
  communicationPort: {{ .Values.ports.communication }}
  discovery:
    dnsName: {{ include "training-day.nodesHost" . }}
  {{- if .Values.gridTls.secretName }}
  tls:
    certificate: /etc/training-day-grid-tls/tls.crt
    key: /etc/training-day-grid-tls/tls.key
    trust: /etc/training-day-grid-tls/ca.crt
  {{- end }}
lane:
  socket: /run/training-day/lane.sock
  segmentDirectory: /run/training-day
  {{- if include "training-day.mountsHost" . }}
  tenants:
    {{- range include "training-day.tenants" . | fromYamlArray }}
    - {{ printf "%s:%d" .name (int64 .gid) | quote }}
    {{- end }}
  {{- end }}
  tcp:
    enabled: true
    port: {{ .Values.ports.lane }}
  {{- if .Values.tls.secretName }}
  tls:
    enabled: true
    certificate: /etc/training-day-tls/tls.crt
    key: /etc/training-day-tls/tls.key
    trust: /etc/training-day-tls/ca.crt
    clientCertificates: {{ .Values.tls.clientCertificates }}
  {{- end }}
  {{- if .Values.tokens.secretName }}
  tokensFile: /etc/training-day-tokens/tokens
  {{- end }}
metrics:
  enabled: true
  address: 0.0.0.0
  port: {{ .Values.ports.metrics }}
{{- /* All but the time that stopping itself may take. */}}
stop:
  handOver: {{ min 600 (sub .Values.terminationGracePeriodSeconds 30) }}s
{{- if ne .Values.disk.type "none" }}
disk:
  path: /var/lib/training-day
  maxSize: {{ div (mul (include "training-day.mib" .Values.disk.size | int64) 9) 10 }}MiB
{{- end }}
{{- end -}}

{{/* The settings file: what the values say, and over it what the chart works out. */}}
{{- define "training-day.settings" -}}
{{- $own := include "training-day.ownSettings" . | fromYaml -}}
{{- toYaml (mustMergeOverwrite (deepCopy .Values.settings) $own) -}}
{{- end -}}

{{/* Those of the settings that count when a node is started; the others it takes over meanwhile. */}}
{{- define "training-day.settingsAtStart" -}}
{{- toYaml (omit (include "training-day.settings" . | fromYaml) "log" "datasets") -}}
{{- end -}}
