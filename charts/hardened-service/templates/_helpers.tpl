{{/*
What the services of this chart are called by themselves: by `name`, else by the release. In an umbrella chart an alias counts, so that two
components are two services; without one there is only one of them.
*/}}
{{- define "hardened-service.base" -}}
{{- if .Values.name }}{{ .Values.name }}
{{- else if or .Chart.IsRoot (eq .Chart.Name "hardened-service") }}{{ .Release.Name }}
{{- else }}{{ .Release.Name }}-{{ .Chart.Name }}
{{- end }}
{{- end }}

{{/*
Fills the map `out` with the services: name -> its values, the path of these, and the spec that they make. root: the chart's own dot.
*/}}
{{- define "hardened-service.collect" -}}
{{- $root := .root }}{{ $out := .out }}{{ $base := include "hardened-service.base" $root -}}
{{- if $root.Values.services -}}
{{- $shared := omit $root.Values "services" "name" "extraObjects" "global" -}}
{{- range $key, $own := $root.Values.services -}}
{{- $values := mergeOverwrite (deepCopy $shared) (deepCopy ($own | default dict)) -}}
{{- $name := $values.name | default (printf "%s-%s" $base $key) -}}
{{- include "hardened-service.add" (dict "root" $root "out" $out "name" $name "values" $values "path" (printf "services.%s." $key)) -}}
{{- end -}}
{{- else -}}
{{- include "hardened-service.add" (dict "root" $root "out" $out "name" $base "values" (deepCopy $root.Values) "path" "") -}}
{{- end -}}
{{- end }}

{{- define "hardened-service.add" -}}
{{- if or .values.enabled (kindIs "invalid" .values.enabled) -}}
{{- $rules := .root.Files.Get "files/rules.json" | fromJson -}}
{{- $set := printf "set %sname" .path -}}
{{- if gt (len .name) (int $rules.name.most) -}}
{{- fail (printf "%q cannot be the name of a service: it has %d characters, and may have %d, so that the names of its children fit; %s" .name (len .name) (int $rules.name.most) $set) -}}
{{- end -}}
{{- if not (regexMatch $rules.name.pattern .name) -}}
{{- fail (printf "%q cannot be the name of a service: use %s; %s" .name $rules.name.message $set) -}}
{{- end -}}
{{- if hasKey .out .name -}}
{{- fail (printf "%sname: there are two services %s: give each a name of its own" .path .name) -}}
{{- end -}}
{{- if not .values.image -}}
{{- fail (printf "%simage: is required: an image with a digest, or with a tag other than latest" .path) -}}
{{- end -}}
{{- $spec := include "hardened-service.spec" . | fromJson -}}
{{- $_ := set .out .name (dict "values" .values "path" .path "spec" $spec) -}}
{{- end -}}
{{- end }}

{{/* The spec as the values say it, then extraSpec over it, as JSON. */}}
{{- define "hardened-service.spec" -}}
{{- $v := .values -}}
{{- $spec := dict "image" $v.image -}}
{{- if $v.port }}{{ $_ := set $spec "ports" (list (dict "name" "http" "containerPort" $v.port "port" 80)) }}{{ end -}}
{{- if not (kindIs "invalid" $v.replicas) }}{{ $_ := set $spec "replicas" $v.replicas }}{{ end -}}
{{- if not (kindIs "invalid" $v.writablePaths) }}{{ $_ := set $spec "security" (dict "writablePaths" $v.writablePaths) }}{{ end -}}
{{- with $v.env }}{{ $_ := set $spec "env" (include "hardened-service.env" . | fromJsonArray) }}{{ end -}}
{{- with $v.files }}{{ $_ := set $spec "files" (include "hardened-service.files" (dict "files" . "path" $.path) | fromJsonArray) }}{{ end -}}
{{- range $name := list "resources" "imagePullSecrets" "release" "verify" "autoscale" "backups" -}}
{{- with index $v $name }}{{ $_ := set $spec $name . }}{{ end -}}
{{- end -}}
{{- $probes := dict -}}
{{- with $v.probePath }}{{ $_ := set $probes "readiness" (dict "httpGet" (dict "path" .)) }}{{ end -}}
{{- with $v.livenessPath }}{{ $_ := set $probes "liveness" (dict "httpGet" (dict "path" .)) }}{{ end -}}
{{- with $probes }}{{ $_ := set $spec "probes" . }}{{ end -}}
{{- include "hardened-service.without-nulls" (mergeOverwrite $spec (deepCopy ($v.extraSpec | default dict))) -}}
{{- end }}

{{/* JSON without the fields that are null: they say that a field is left out. */}}
{{- define "hardened-service.without-nulls" -}}
{{- $parts := list -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) -}}
{{- $parts = append $parts (printf "%s:%s" (toJson $key) (include "hardened-service.without-nulls" $value)) -}}
{{- end }}{{ end -}}
{{- printf "{%s}" (join "," $parts) -}}
{{- else if kindIs "slice" . -}}
{{- range . }}{{ $parts = append $parts (include "hardened-service.without-nulls" .) }}{{ end -}}
{{- printf "[%s]" (join "," $parts) -}}
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end }}

{{/* A number as toJson writes it: as text, a large one would be 1e+06. One from a values file is no text, for all that it is of that kind. */}}
{{- define "hardened-service.env" -}}
{{- $found := list -}}
{{- range $name, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $found = append $found (dict "name" $name "valueFrom" $value) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $found = append $found (dict "name" $name "value" (typeIs "string" $value | ternary $value (toJson $value))) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/* One entry for each folder. */}}
{{- define "hardened-service.files" -}}
{{- $folders := dict }}{{ $found := list }}{{ $prefix := .path -}}
{{- range $path, $text := .files }}{{ if not (kindIs "invalid" $text) -}}
{{- if or (ne (clean $path) $path) (not (isAbs $path)) (eq (dir $path) "/") -}}
{{- fail (printf "%sfiles: %q is no path of a file in a folder, without .. in it, such as /etc/shop/app.toml" $prefix $path) -}}
{{- end -}}
{{- $_ := set $folders (dir $path) (merge (dict (base $path) $text) (index $folders (dir $path) | default dict)) -}}
{{- end }}{{ end -}}
{{- range $folder, $data := $folders }}{{ $found = append $found (dict "mountPath" $folder "data" $data) }}{{ end -}}
{{- toJson $found -}}
{{- end }}

{{/* Labels of everything that the chart itself makes. */}}
{{- define "hardened-service.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The number of the Service's main port; "" for a worker, which has no Service. */}}
{{- define "hardened-service.port" -}}
{{- with .ports }}{{ $main := first . }}{{ $main.port | default $main.containerPort | toJson }}{{ end -}}
{{- end }}
