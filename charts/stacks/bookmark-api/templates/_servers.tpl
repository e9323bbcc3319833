{{/* One pod with a claim. A new version stops the old one first: two servers must never have the same files. */}}
{{- define "stack.postgres" -}}
image: {{ .Values.images.postgres }}
args:
  {{- range $name, $value := .Values.postgres.settings }}
  - -c
  - {{ printf "%s=%s" $name $value | quote }}
  {{- end }}
replicas: 1
ports:
  - {name: postgres, containerPort: 5432}
env:
  - {name: POSTGRES_USER, value: {{ .Values.postgres.user }}}
  - {name: POSTGRES_DB, value: {{ .Values.postgres.database }}}
  - name: POSTGRES_PASSWORD
    valueFrom: {secretKeyRef: {name: {{ include "stack.secret" . }}, key: postgres-password}}
  - {name: PGDATA, value: /var/lib/postgresql/data/pgdata}
resources: {{- toYaml .Values.postgres.resources | nindent 2 }}
volumes:
  - name: data
    mountPath: /var/lib/postgresql/data
    claim: {{- include "stack.claim" .Values.postgres | nindent 6 }}
security: {runAsUser: 999, runAsGroup: 999, fsGroup: 999, writablePaths: [/tmp, /var/run/postgresql]}
# By its address: while the official image makes its data, a server answers on the socket.
probes:
  readiness:
    exec: {command: [pg_isready, --quiet, --host=127.0.0.1, --username={{ .Values.postgres.user }}, --dbname={{ .Values.postgres.database }}]}
    periodSeconds: 5
    timeoutSeconds: 3
# Both images end it by SIGINT: sessions are ended, and nothing waits for clients.
shutdown: {drainSeconds: 0, graceSeconds: 60}
network:
  ingressFrom:
    - {{- include "stack.pods" (dict "root" . "parts" (list "api" "worker" "postgres")) | nindent 6 }}
  egressTo: []
release: {strategy: Recreate}
{{- with .Values.backup }}
{{- if .enabled }}
backups:
  - name: nightly
    schedule: {{ .schedule | quote }}
    timeZone: {{ .timeZone }}
    repository:
      secretName: {{ required "backup.repositorySecret: a Secret with RESTIC_PASSWORD, and RESTIC_REPOSITORY unless there is a claim" .repositorySecret }}
      {{- with .claim }}
      claim: {name: {{ . }}}
      {{- end }}
    source:
      postgres: {secretName: {{ required "backup.sourceSecret: a Secret with host, user, password and dbname of the database" .sourceSecret }}}
    # Of a restore: the data comes back through the server itself, while nobody else uses it.
    stops: Dependents
    {{- with .retention }}
    retention: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stack.redis" -}}
image: {{ .Values.images.redis }}
args:
  - --requirepass
  - $(REDIS_PASSWORD)
  - --appendonly
  - "yes"
  - --appendfsync
  - {{ .Values.redis.appendFsync | quote }}
  - --save
  - ""
  - --maxmemory
  - {{ .Values.redis.maxMemory }}
  - --maxmemory-policy
  - noeviction
replicas: 1
ports:
  - {name: redis, containerPort: 6379}
env:
  - name: REDIS_PASSWORD
    valueFrom: {secretKeyRef: {name: {{ include "stack.secret" . }}, key: redis-password}}
  # What redis-cli reads.
  - name: REDISCLI_AUTH
    valueFrom: {secretKeyRef: {name: {{ include "stack.secret" . }}, key: redis-password}}
resources: {{- toYaml .Values.redis.resources | nindent 2 }}
volumes:
  - name: data
    mountPath: /data
    claim: {{- include "stack.claim" .Values.redis | nindent 6 }}
security: {runAsUser: 999, runAsGroup: 999, fsGroup: 999}
probes:
  readiness: {exec: {command: [redis-cli, -e, ping]}, periodSeconds: 5, timeoutSeconds: 3}
shutdown: {drainSeconds: 0, graceSeconds: 30}
network:
  ingressFrom:
    - {{- include "stack.pods" (dict "root" . "parts" (list "api" "worker" "redis")) | nindent 6 }}
  egressTo: []
release: {strategy: Recreate}
{{- end }}

{{- define "stack.claim" -}}
size: {{ .size }}
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
{{- end }}
