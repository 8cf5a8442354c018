{{/* What the schema cannot say: each refusal is a sentence that names the value and the cure. */}}
{{- define "recado.refuse" -}}
{{- if and (or .Values.model.url .Values.model.existingSecret) (not .Values.model.name) -}}
{{- fail "Set model.name too, as in openai:gpt-5-mini: model.url and model.existingSecret are of that model." -}}
{{- end -}}
{{- if eq .Values.profile "trial" -}}
{{- include "recado.refuse.trial" . -}}
{{- else -}}
{{- include "recado.refuse.missing" . -}}
{{- include "recado.refuse.plain" . -}}
{{- include "recado.refuse.kafka" . -}}
{{- include "recado.refuse.extraEnv" . -}}
{{- end -}}
{{- end -}}

{{- define "recado.refuse.trial" -}}
{{- if .Values.ingress.enabled -}}
{{- fail "Leave ingress.enabled off with profile=trial: its stand-in for Twilio lets whoever reaches it write as any customer. Use `kubectl port-forward`." -}}
{{- end -}}
{{- if or .Values.kafka.bootstrapServers .Values.database.existingSecret -}}
{{- fail "Leave kafka.bootstrapServers and database.existingSecret empty with profile=trial, which keeps everything on its own volume; or set profile=production." -}}
{{- end -}}
{{- end -}}

{{- define "recado.refuse.missing" -}}
{{- if not .Values.publicUrl -}}
{{- fail "Set publicUrl to the address at which Twilio reaches the gateway, as in https://hooks.example.com; or set profile=trial to look at Recado without Twilio." -}}
{{- end -}}
{{- if not .Values.kafka.bootstrapServers -}}
{{- fail "Set kafka.bootstrapServers to your Kafka, as in kafka-0:9092,kafka-1:9092." -}}
{{- end -}}
{{- if not .Values.database.existingSecret -}}
{{- fail "Set database.existingSecret to a Secret whose key `url` holds postgresql://user:password@host/name of a member of recado_serving." -}}
{{- end -}}
{{- if and (or .Values.migrations.enabled .Values.operator.args) (not .Values.migrations.existingSecret) -}}
{{- fail "Set migrations.existingSecret to a Secret whose key `admin-url` holds the address of the role that owns the tables; or set migrations.enabled=false and run `recado migrate` yourself." -}}
{{- end -}}
{{- if not .Values.encryption.existingSecret -}}
{{- fail "Set encryption.existingSecret to a Secret whose key `encryption-keys` holds id:base64 of 32 random bytes." -}}
{{- end -}}
{{- end -}}

{{- define "recado.refuse.plain" -}}
{{- if eq .Values.environment "production" -}}
{{- range $name, $url := dict "publicUrl" .Values.publicUrl "twilio.url" .Values.twilio.url -}}
{{- if not (hasPrefix "https://" $url) -}}
{{- fail (printf "Set %s to an https address: customers' messages would travel readable. Plain http needs environment=staging." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "recado.refuse.kafka" -}}
{{- with .Values.kafka -}}
{{- if and (eq .security "SASL_SSL") (not .existingSecret) -}}
{{- fail "Set kafka.existingSecret to a Secret whose keys `username` and `password` say who we are: kafka.security is SASL_SSL." -}}
{{- end -}}
{{- if and (ne .security "SASL_SSL") .existingSecret -}}
{{- fail (printf "Set kafka.security to SASL_SSL, or leave kafka.existingSecret empty: %s signs nobody in." .security) -}}
{{- end -}}
{{- if and (eq .security "PLAINTEXT") (or .caSecret .certificateSecret) -}}
{{- fail "Set kafka.security to SSL or SASL_SSL, or leave kafka.caSecret and kafka.certificateSecret empty: PLAINTEXT encrypts nothing." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "recado.refuse.extraEnv" -}}
{{- $root := . -}}
{{- range $part := list "gateway" "processor" "notifier" -}}
{{- $own := printf "%s\n%s" (include "recado.env.service" $root) (include (printf "recado.env.%s" $part) $root) -}}
{{- $given := index $root.Values $part -}}
{{- range $name := concat (keys $given.extraEnv) (keys $given.secretEnv) -}}
{{- if contains (printf "- name: %s\n" $name) $own -}}
{{- fail (printf "Leave %s out of %s.extraEnv and secretEnv: the chart sets it from a value of its own." $name $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
