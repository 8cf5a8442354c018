{{/* What every pod has in common; it passes the `restricted` Pod Security Standard. */}}
{{- define "recado.pod" -}}
enableServiceLinks: false # they would put variables that begin with RECADO_ into every pod
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  # Not `Always`, which would open files of mode 0600 to the group at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "recado.container" -}}
image: {{ include "recado.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "recado.tmp" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end -}}

{{/* What a pod that speaks to Kafka keeps, and where: with the files that the broker asks for. */}}
{{- define "recado.volumes" -}}
{{ include "recado.tmp" . }}
{{- with .Values.kafka }}
{{- if or .caSecret .certificateSecret }}
- name: kafka
  projected:
    defaultMode: 0440
    sources:
    {{- with .caSecret }}
    - secret: {name: {{ . | quote }}, items: [{key: {{ $.Values.kafka.caKey | quote }}, path: ca.crt}]}
    {{- end }}
    {{- with .certificateSecret }}
    - secret: {name: {{ . | quote }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "recado.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if or .Values.kafka.caSecret .Values.kafka.certificateSecret }}
- {name: kafka, mountPath: /etc/recado/kafka, readOnly: true}
{{- end }}
{{- end -}}

{{/* Seconds between SIGTERM's announcement and SIGKILL. */}}
{{- define "recado.grace" -}}
{{- add (int .Values.preStopSeconds) (int (ceil (float64 .Values.drainSeconds))) 5 -}}
{{- end -}}

{{/* Where pods of one service may run, and what tells them apart: list $ "gateway". */}}
{{- define "recado.placement" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}{{ $own := index $root.Values $part -}}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- include "recado.selector" . | nindent 6 }}
{{- with $own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* list $ "gateway" */}}
{{- define "recado.podMetadata" -}}
{{- $root := index . 0 }}{{ $own := index $root.Values (index . 1) -}}
labels: {{- include "recado.labels" . | nindent 2 }}
{{- if or $own.podAnnotations $root.Values.secretsVersion }}
annotations:
  {{- with $root.Values.secretsVersion }}
  recado/secrets-version: {{ . | quote }}
  {{- end }}
  {{- range $name, $value := $own.podAnnotations }}
  {{ $name | quote }}: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A pod more before one less: nothing waits for a start. */}}
{{- define "recado.strategy" -}}
type: RollingUpdate
rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
{{- end -}}
