{{- define "operator.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "operator.fullname" -}}
{{- $joined := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{ .Values.fullnameOverride | default $joined | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "operator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "operator.fullname" .) }}
{{- else -}}
{{ required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "operator.image" -}}
{{- with .Values.image -}}
{{- if and (eq .tag "latest") (not .digest) }}{{ fail "image.tag: latest names no version: give a tag, or image.digest" }}{{ end -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{/* The names of the Secrets that the pods which check are pulled with. */}}
{{- define "operator.verifierPullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.imagePullSecrets .Values.verifier.imagePullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{- $names | uniq | join "," -}}
{{- end -}}

{{/* The image of the pods that make backups: of the same tag, beside the operator's. */}}
{{- define "operator.backupImage" -}}
{{ dir .Values.image.repository }}/backup:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The names of the Secrets that it is pulled with. */}}
{{- define "operator.backupPullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.imagePullSecrets .Values.backup.imagePullSecrets }}{{ $names = append $names .name }}{{ end -}}
{{- $names | uniq | join "," -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Not managed-by: hardened — that label is what the operator knows its own children by. */}}
{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* One of the lists of files/rules.yaml. Usage: include "operator.rules" (list $ "services") */}}
{{- define "operator.rules" -}}
{{- $root := first . -}}
{{ index ($root.Files.Get "files/rules.yaml" | fromYaml) (last .) | toYaml }}
{{- end }}

{{/* The port of prometheus.url. */}}
{{- define "operator.prometheusPort" -}}
{{- $url := urlParse .Values.prometheus.url -}}
{{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") }}
{{- end }}

{{/* What the operator is given of Prometheus: sources of a projected volume. */}}
{{- define "operator.prometheusFiles" -}}
{{- with .Values.prometheus -}}
{{- if and .ca.configMap .ca.secret }}{{ fail "prometheus.ca: give configMap or secret, not both" }}{{ end -}}
{{- if and (or .token.secret .clientCertificate.secret) (not (hasPrefix "https://" .url)) -}}
{{ fail "prometheus.url: must begin with https:// where prometheus.token or prometheus.clientCertificate is set" }}
{{- end -}}
{{- with .ca.configMap }}
- configMap: {name: {{ . }}, items: [{key: {{ $.Values.prometheus.ca.key | quote }}, path: ca.crt}]}
{{- end }}
{{- with .ca.secret }}
- secret: {name: {{ . }}, items: [{key: {{ $.Values.prometheus.ca.key | quote }}, path: ca.crt}]}
{{- end }}
{{- with .token.secret }}
- secret: {name: {{ . }}, items: [{key: {{ $.Values.prometheus.token.key | quote }}, path: token}]}
{{- end }}
{{- with .clientCertificate.secret }}
- secret: {name: {{ . }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether data may be restored: as the values say, else where the policy checks who may ask for it. */}}
{{- define "operator.allowRestore" -}}
{{- $checked := and .Values.actionPolicy.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- eq (toString .Values.restore.allowed) "" | ternary (toString $checked) (toString .Values.restore.allowed) -}}
{{- end }}

{{- define "operator.env" -}}
- name: HARDENED_IDENTITY
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: HARDENED_LEASE_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- range $name, $value := dict
  "LEASE_NAME" (include "operator.fullname" .)
  "LEADER_ELECT" .Values.leaderElection.enabled
  "HEALTH_PORT" .Values.ports.health
  "METRICS_PORT" .Values.ports.metrics
  "LOG_LEVEL" .Values.logLevel
  "WORKERS" .Values.workers
  "MAX_CONCURRENT_RELEASES" .Values.maxConcurrentReleases
  "NAMESPACE_SHARE" .Values.namespaceShare
  "ALLOW_BASELINE" .Values.allowBaseline
  "CRASH_LOG_LINES" .Values.crashLogs.lines
  "ALLOW_RESTORE" (include "operator.allowRestore" .)
  "RESYNC_SECONDS" .Values.resyncSeconds
  "PROMETHEUS_URL" .Values.prometheus.url
  "PROMETHEUS_SHARED" (.Values.prometheus.shared | ternary "true" "")
  "PROMETHEUS_CA_FILE" (or .Values.prometheus.ca.configMap .Values.prometheus.ca.secret | empty | ternary "" "/etc/hardened/prometheus/ca.crt")
  "PROMETHEUS_TOKEN_FILE" (.Values.prometheus.token.secret | empty | ternary "" "/etc/hardened/prometheus/token")
  "PROMETHEUS_CERTIFICATE_FILE" (.Values.prometheus.clientCertificate.secret | empty | ternary "" "/etc/hardened/prometheus/tls.crt")
  "PROMETHEUS_KEY_FILE" (.Values.prometheus.clientCertificate.secret | empty | ternary "" "/etc/hardened/prometheus/tls.key")
  "VERIFIER_IMAGE" (.Values.verifier.image | default (include "operator.image" .))
  "VERIFIER_PULL_SECRETS" (include "operator.verifierPullSecrets" .)
  "VERIFIER_RESOURCES" (.Values.verifier.resources | toJson)
  "LOAD_RESOURCES" (.Values.verifier.loadResources | toJson)
  "BACKUP_IMAGE" (.Values.backup.image | default (include "operator.backupImage" .))
  "BACKUP_PULL_SECRETS" (include "operator.backupPullSecrets" .)
  "BACKUP_RESOURCES" (.Values.backup.resources | toJson)
  "NAMESPACES" (.Values.watch.namespaces | join ",")
  "POD_LABEL_KEYS" (.Values.allowedKeys.podLabels | join ",")
  "POD_ANNOTATION_KEYS" (.Values.allowedKeys.podAnnotations | join ",")
  "SERVICE_ACCOUNT_ANNOTATION_KEYS" (.Values.allowedKeys.serviceAccountAnnotations | join ",")
  "SERVICE_ANNOTATION_KEYS" (.Values.allowedKeys.serviceAnnotations | join ",")
  "SERVICE_TYPES" (.Values.allowedServiceTypes | join ",")
}}
{{- if ne (toString $value) "" }}
- {name: HARDENED_{{ $name }}, value: {{ toString $value | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Gives the operator's account the role of that kind and name. Usage: include "operator.binding" (list $ KIND NAME NAMESPACE) */}}
{{- define "operator.binding" -}}
{{- $root := index . 0 -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ index . 1 }}Binding
metadata:
  name: {{ index . 2 }}
  {{- with index . 3 }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "operator.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "operator.serviceAccount" $root }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
