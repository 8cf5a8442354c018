{{/* Every name of the release begins with this; 50 characters leave room for what follows. */}}
{{- define "recado.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select pods of one part: list $ "gateway". They can never change. */}}
{{- define "recado.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: recado
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "recado.labels" -}}
{{- $root := index . 0 -}}
{{ include "recado.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "recado.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where the Service answers, for pods of any namespace. */}}
{{- define "recado.url" -}}
{{- $port := ternary 8080 (int .Values.service.port) (eq .Values.profile "trial") -}}
{{- printf "http://%s.%s.svc:%d" (include "recado.name" .) .Release.Namespace $port -}}
{{- end -}}
