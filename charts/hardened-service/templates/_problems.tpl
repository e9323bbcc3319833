{{/*
Appends to the list `out.found` what the API server would refuse of a value. node: what is asked there, see manifests/chart/rules.py; value;
path: as the API server names it.
*/}}
{{- define "hardened-service.problems" -}}
{{- $node := .node }}{{ $value := .value }}{{ $path := .path }}{{ $out := .out -}}
{{- if or (kindIs "map" $value) (kindIs "slice" $value) }}{{ if gt (len $value) (int ($node.m | default 1000)) -}}
{{- include "hardened-service.problem" (dict "out" $out "path" $path "message" (printf "has %d entries, and may have %d" (len $value) (int $node.m))) -}}
{{- end }}{{ end -}}
{{- if kindIs "map" $value -}}
{{- range $name, $child := $node.p }}{{ if hasKey $value $name -}}
{{- include "hardened-service.problems" (dict "node" $child "value" (get $value $name) "path" (printf "%s.%s" $path $name) "out" $out) -}}
{{- end }}{{ end -}}
{{- if $node.e }}{{ range $key, $each := $value -}}
{{- include "hardened-service.problems" (dict "node" $node.e "value" $each "path" (printf "%s.%s" $path $key) "out" $out) -}}
{{- end }}{{ end -}}
{{- else if kindIs "slice" $value -}}
{{- $seen := dict -}}
{{- range $at, $each := $value -}}
{{- $place := printf "%s[%d]" $path $at -}}
{{- if $node.e }}{{ include "hardened-service.problems" (dict "node" $node.e "value" $each "path" $place "out" $out) }}{{ end -}}
{{- if hasKey $node "k" -}}
{{- $key := $each -}}
{{- if and $node.k (kindIs "map" $each) }}{{ $key = get $each $node.k }}{{ end -}}
{{- $key = toJson $key -}}
{{- if hasKey $seen $key }}{{ include "hardened-service.problem" (dict "out" $out "path" $place "message" (printf "there is another one of %s" $key)) }}{{ end -}}
{{- $_ := set $seen $key true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $node.r }}{{ if ne (include .t $value) "true" -}}
{{- include "hardened-service.problem" (dict "out" $out "path" (printf "%s%s" $path .f) "message" .m) -}}
{{- end }}{{ end -}}
{{- end }}

{{- define "hardened-service.problem" -}}
{{- $_ := set .out "found" (append (.out.found | default list) (printf "%s: %s" (trimPrefix "." .path) .message)) -}}
{{- end }}

{{/* Fails where the API server would refuse the HardenedService. name, spec, path: of the values. */}}
{{- define "hardened-service.check" -}}
{{- $rules := .root.Files.Get "files/rules.json" | fromJson -}}
{{- $out := dict -}}
{{- include "hardened-service.problems" (dict "node" $rules.spec "value" .spec "path" "spec" "out" $out) -}}
{{- $whole := dict "metadata" (dict "name" .name) "spec" .spec -}}
{{- range $rules.whole }}{{ if ne (include .t $whole) "true" -}}
{{- include "hardened-service.problem" (dict "out" $out "path" .f "message" .m) -}}
{{- end }}{{ end -}}
{{- with $out.found }}{{ fail (printf "service %s: %s" $.name (join "; " (uniq .))) }}{{ end -}}
{{- end }}

{{/* A duration such as 1h30m in milliseconds. */}}
{{- define "hardened-service.milliseconds" -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|h|m|s)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | atoi) (get (dict "h" 3600000 "m" 60000 "s" 1000 "ms" 1) $unit)) -}}
{{- end -}}
{{- $sum -}}
{{- end }}

{{/* A quantity such as 500m or 1.5Gi as a number. */}}
{{- define "hardened-service.amount" -}}
{{- $text := kindIs "string" . | ternary . (toJson .) -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 -}}
{{- mulf $number (get $units $unit) -}}
{{- end }}
