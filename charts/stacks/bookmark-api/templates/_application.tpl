{{/* The API: a new version beside the one that serves, checked, and switched to at once. Its release migrates the database first. */}}
{{- define "stack.api" -}}
image: {{ .Values.images.bookmarks }}
args: [api]
{{- if not (kindIs "invalid" .Values.api.replicas) }}
replicas: {{ .Values.api.replicas }}
{{- end }}
{{- with .Values.api.autoscale }}
autoscale: {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: http, containerPort: 8080, port: 80}
env: {{- include "stack.env" (dict "root" . "env" .Values.api.env) | nindent 2 }}
resources: {{- toYaml .Values.api.resources | nindent 2 }}
# Ready: with its database. Redis is no condition: without it bookmarks are taken all the same, and their jobs wait in the outbox.
# Alive: the process itself. A liveness probe that asks the database would kill all pods with it.
probes:
  readiness: {httpGet: {path: /health/ready}, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2}
  liveness: {httpGet: {path: /health/live}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3}
security: {runAsUser: 10001, runAsGroup: 10001}
shutdown: {drainSeconds: 5, graceSeconds: 35}
dependsOn:
  - service: {{ include "stack.name" (dict "root" . "part" "postgres") }}
network:
  egressTo:
    - {{- include "stack.pods" (dict "root" . "parts" (list "redis")) | nindent 6 }}
release:
  strategy: BlueGreen
  keepPrevious: 2m
  migrate:
    command: [python3, -sP, -m, bookmarks, migrate]
    undo: {command: [python3, -sP, -m, bookmarks, undo]}
verify:
  beforeCutover:
    - {name: ready, http: {path: /health/ready, count: 3, interval: 1s}}
    - {name: lists, http: {path: "/bookmarks?limit=1", count: 5, interval: 200ms, maxLatency: 1s}}
  afterCutover:
    window: 30s
    maxRestarts: 0
    checks:
      - {name: still-lists, http: {path: "/bookmarks?limit=1", count: 5, interval: 1s, failureLimit: 1, maxLatency: 1s}}
{{- end }}

{{/* The worker: pods are replaced one after the other, and each gives back what it cannot finish. Its port is for probes and metrics. */}}
{{- define "stack.worker" -}}
image: {{ .Values.images.bookmarks }}
args: [worker]
{{- if not (kindIs "invalid" .Values.worker.replicas) }}
replicas: {{ .Values.worker.replicas }}
{{- end }}
ports:
  - {name: metrics, containerPort: 8080}
env: {{- include "stack.env" (dict "root" . "env" .Values.worker.env) | nindent 2 }}
resources: {{- toYaml .Values.worker.resources | nindent 2 }}
probes:
  readiness: {httpGet: {path: /health/ready}, periodSeconds: 5, timeoutSeconds: 2}
  liveness: {httpGet: {path: /health/live}, periodSeconds: 10, timeoutSeconds: 5}
security: {runAsUser: 10001, runAsGroup: 10001}
shutdown: {drainSeconds: 0, graceSeconds: 30}
# The API, too: its first release makes the tables.
dependsOn:
  - service: {{ include "stack.name" (dict "root" . "part" "postgres") }}
  - service: {{ include "stack.name" (dict "root" . "part" "redis") }}
  - service: {{ include "stack.name" (dict "root" . "part" "api") }}
network:
  egressTo: []
release:
  strategy: RollingUpdate
{{- end }}
