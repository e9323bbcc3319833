{{/* The name of one of the services. A HardenedService has at most 40 characters, and "-postgres" needs nine of them. */}}
{{- define "stack.name" -}}
{{- if gt (len .root.Release.Name) 31 }}{{ fail "the release's name may have at most 31 characters" }}{{ end -}}
{{ .root.Release.Name }}-{{ .part }}
{{- end }}

{{- define "stack.secret" -}}
{{ .Values.secret.name | default .Release.Name }}
{{- end }}

{{- define "stack.metadata" -}}
name: {{ include "stack.name" . }}
namespace: {{ .root.Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ .part }}
  app.kubernetes.io/part-of: {{ .root.Chart.Name }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The pods of some of the services, and those that work for their releases, such as migrations. */}}
{{- define "stack.pods" -}}
podSelector:
  matchExpressions:
    - key: hardened.dev/service
      operator: In
      values:
        {{- range .parts }}
        - {{ include "stack.name" (dict "root" $.root "part" .) }}
        {{- end }}
{{- end }}

{{/* Where the application finds its servers, and its own settings. */}}
{{- define "stack.env" -}}
- {name: PGHOST, value: {{ include "stack.name" (dict "root" .root "part" "postgres") }}}
- {name: PGPORT, value: "5432"}
- {name: PGUSER, value: {{ .root.Values.postgres.user }}}
- {name: PGDATABASE, value: {{ .root.Values.postgres.database }}}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "stack.secret" .root }}, key: postgres-password}}
- {name: REDIS_URL, value: "redis://{{ include "stack.name" (dict "root" .root "part" "redis") }}:6379/0"}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "stack.secret" .root }}, key: redis-password}}
{{- range $name, $value := .env }}
- {{ dict "name" $name "value" (kindIs "string" $value | ternary $value (toJson $value)) | toJson }}
{{- end }}
{{- end }}

{{/* A whole HardenedService. The spec of the part is what its template says, with extraSpec over it. */}}
{{- define "stack.service" -}}
{{- $spec := include (printf "stack.%s" .part) .root | fromYaml -}}
{{- if hasKey $spec "Error" }}{{ fail (printf "%s: %s" .part $spec.Error) }}{{ end -}}
apiVersion: hardened.dev/v1alpha1
kind: HardenedService
metadata: {{- include "stack.metadata" . | nindent 2 }}
spec: {{- mergeOverwrite $spec (index .root.Values .part).extraSpec | toYaml | nindent 2 }}
{{- end }}
