{{/* One plain variable: list "NAME" value. */}}
{{- define "recado.variable" -}}
- name: {{ index . 0 }}
  value: {{ index . 1 | toString | quote }}
{{- end -}}

{{/* One variable out of a Secret: list "NAME" "secret" "key". */}}
{{- define "recado.secret" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }}}}
{{- end -}}

{{/* What every process reads. */}}
{{- define "recado.env.process" -}}
{{ include "recado.variable" (list "RECADO_DRAIN_SECONDS" .Values.drainSeconds) }}
{{ include "recado.variable" (list "RECADO_LOG_LEVEL" .Values.log.level) }}
{{ include "recado.variable" (list "RECADO_LOG_FORMAT" "json") }}
{{- if .Values.tracing.endpoint }}
{{ include "recado.variable" (list "RECADO_TRACING_ENDPOINT" .Values.tracing.endpoint) }}
{{ include "recado.variable" (list "RECADO_TRACING_RATIO" .Values.tracing.ratio) }}
{{- end }}
{{- end -}}

{{/* What every service of its own reads besides. */}}
{{- define "recado.env.service" -}}
{{ include "recado.env.process" . }}
{{ include "recado.variable" (list "RECADO_ENVIRONMENT" .Values.environment) }}
{{ include "recado.variable" (list "RECADO_HEALTH_HOST" "0.0.0.0") }}
{{ include "recado.variable" (list "RECADO_HEALTH_PORT" 9100) }}
{{ include "recado.env.broker" . }}
{{ include "recado.variable" (list "RECADO_DATABASE_POOL_SIZE" .Values.database.poolSize) }}
{{ include "recado.secret" (list "RECADO_DATABASE_URL" .Values.database.existingSecret .Values.database.urlKey) }}
{{- end -}}

{{- define "recado.env.broker" -}}
{{ include "recado.variable" (list "RECADO_BROKER_URL" (include "recado.broker" .)) }}
{{- with .Values.kafka }}
{{ include "recado.variable" (list "RECADO_BROKER_PARTITIONS" .partitions) }}
{{ include "recado.variable" (list "RECADO_BROKER_REPLICATION" .replication) }}
{{ include "recado.variable" (list "RECADO_BROKER_RETENTION_HOURS" .retentionHours) }}
{{ include "recado.variable" (list "RECADO_BROKER_ACCEPT_UNSAFE" .acceptUnsafe) }}
{{ include "recado.variable" (list "RECADO_BROKER_SECURITY" .security) }}
{{- if .existingSecret }}
{{ include "recado.variable" (list "RECADO_BROKER_MECHANISM" .mechanism) }}
{{ include "recado.secret" (list "RECADO_BROKER_USERNAME" .existingSecret .usernameKey) }}
{{ include "recado.secret" (list "RECADO_BROKER_PASSWORD" .existingSecret .passwordKey) }}
{{- end }}
{{- if .caSecret }}
{{ include "recado.variable" (list "RECADO_BROKER_CA_FILE" "/etc/recado/kafka/ca.crt") }}
{{- end }}
{{- if .certificateSecret }}
{{ include "recado.variable" (list "RECADO_BROKER_CERTIFICATE_FILE" "/etc/recado/kafka/tls.crt") }}
{{ include "recado.variable" (list "RECADO_BROKER_KEY_FILE" "/etc/recado/kafka/tls.key") }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "recado.env.encryption" -}}
{{ include "recado.secret" (list "RECADO_SECRETS_ENCRYPTION_KEYS" .Values.encryption.existingSecret .Values.encryption.key) }}
{{- end -}}

{{/* The owner of the tables: for migrations and the operator's verbs, never for a service. */}}
{{- define "recado.env.owner" -}}
{{ include "recado.variable" (list "RECADO_ENVIRONMENT" .Values.environment) }}
{{ include "recado.secret" (list "RECADO_DATABASE_ADMIN_URL" .Values.migrations.existingSecret .Values.migrations.urlKey) }}
{{- end -}}

{{- define "recado.env.gateway" -}}
{{ include "recado.variable" (list "RECADO_GATEWAY_PUBLIC_URL" (prepend .Values.formerPublicUrls .Values.publicUrl | join ",")) }}
{{ include "recado.variable" (list "RECADO_GATEWAY_HOST" "0.0.0.0") }}
{{ include "recado.variable" (list "RECADO_GATEWAY_PORT" 8080) }}
{{ include "recado.env.encryption" . }}
{{- end -}}

{{- define "recado.env.processor" -}}
{{- with .Values.model -}}
{{- if .name -}}
{{ include "recado.variable" (list "RECADO_PROCESSOR_MODEL" .name) }}
{{- if .url }}
{{ include "recado.variable" (list "RECADO_PROCESSOR_MODEL_URL" .url) }}
{{- end }}
{{- if .existingSecret }}
{{ include "recado.secret" (list "RECADO_PROCESSOR_MODEL_KEY" .existingSecret .key) }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "recado.env.notifier" -}}
{{ include "recado.variable" (list "RECADO_NOTIFIER_STATUS_CALLBACK_BASE" .Values.publicUrl) }}
{{ include "recado.variable" (list "RECADO_NOTIFIER_TWILIO_URL" .Values.twilio.url) }}
{{ include "recado.env.encryption" . }}
{{- end -}}

{{- define "recado.broker" -}}
kafka://{{ .Values.kafka.bootstrapServers }}{{ with .Values.kafka.topicPrefix }}/{{ . }}{{ end }}
{{- end -}}

{{/* All variables of one service: list $ "gateway". */}}
{{- define "recado.env" -}}
{{- $root := index . 0 }}{{ $part := index . 1 -}}
{{ include "recado.env.service" $root }}
{{- with include (printf "recado.env.%s" $part) $root }}
{{ . }}
{{- end }}
{{- range $name, $value := (index $root.Values $part).extraEnv }}
{{ include "recado.variable" (list $name $value) }}
{{- end }}
{{- range $name, $secret := (index $root.Values $part).secretEnv }}
{{ include "recado.secret" (list $name $secret.name $secret.key) }}
{{- end }}
{{- end -}}
