{{/* The image, which names one version. */}}
{{- define "service.image" -}}
{{- $last := .Values.image | splitList "/" | last -}}
{{- if not (or (contains "@sha256:" $last) (and (contains ":" $last) (not (hasSuffix ":latest" $last)))) -}}
{{- fail (printf "image: %q needs a digest, or a tag other than latest: a release must name one version" .Values.image) -}}
{{- end -}}
{{ .Values.image }}
{{- end }}

{{- define "service.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{/* The spec as the values say it, then extraSpec over it. */}}
{{- define "service.spec" -}}
{{- $v := .Values -}}
{{- $spec := dict "image" (include "service.image" .) "security" (dict "writablePaths" $v.writablePaths) -}}
{{- if $v.port }}{{ $_ := set $spec "ports" (list (dict "name" "http" "containerPort" $v.port "port" 80)) }}{{ end -}}
{{- if not (kindIs "invalid" $v.replicas) }}{{ $_ := set $spec "replicas" $v.replicas }}{{ end -}}
{{- if $v.env }}{{ $_ := set $spec "env" (include "service.env" . | fromYamlArray) }}{{ end -}}
{{- if $v.resources }}{{ $_ := set $spec "resources" $v.resources }}{{ end -}}
{{- if $v.files }}{{ $_ := set $spec "files" (include "service.files" . | fromYamlArray) }}{{ end -}}
{{- $probes := dict -}}
{{- with $v.probePath }}{{ $_ := set $probes "readiness" (dict "httpGet" (dict "path" .)) }}{{ end -}}
{{- with $v.livenessPath }}{{ $_ := set $probes "liveness" (dict "httpGet" (dict "path" .)) }}{{ end -}}
{{- with $probes }}{{ $_ := set $spec "probes" . }}{{ end -}}
{{ mergeOverwrite $spec $v.extraSpec | toYaml }}
{{- end }}

{{/* Numbers by toJson: as text, a large one would be written as 1e+06. */}}
{{- define "service.env" -}}
{{- range $name, $value := .Values.env }}
{{- if kindIs "map" $value }}
- {{ dict "name" $name "valueFrom" $value | toJson }}
{{- else }}
- {{ dict "name" $name "value" (kindIs "string" $value | ternary $value (toJson $value)) | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{/* One entry for each folder. */}}
{{- define "service.files" -}}
{{- $folders := dict }}
{{- range $path, $text := .Values.files }}
{{- $_ := set $folders (dir $path) (merge (dict (base $path) $text) (index $folders (dir $path) | default dict)) }}
{{- end }}
{{- range $folder, $data := $folders }}
- {{ dict "mountPath" $folder "data" $data | toJson }}
{{- end }}
{{- end }}
