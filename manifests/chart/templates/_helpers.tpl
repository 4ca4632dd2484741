{{/* Labels of every object. Those of pods do not change with a version, which would restart them. */}}
{{- define "signpost.labels" -}}
app.kubernetes.io/part-of: signpost
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Of a list: the chart's context, and the values of an image. */}}
{{- define "signpost.image" -}}
{{- $chart := (index . 0).Chart }}
{{- with index . 1 -}}
image: {{ if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $chart.AppVersion }}{{ end }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}
{{- end }}

{{/* Of a program that listens on the host given; where none is, on its node's address, as the kubelet takes it. */}}
{{- define "signpost.probes" -}}
startupProbe:
  httpGet: { {{- with . }}host: {{ . }}, {{ end }}port: http, path: /healthz}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: { {{- with . }}host: {{ . }}, {{ end }}port: http, path: /healthz}
  periodSeconds: 20
  failureThreshold: 3
readinessProbe:
  httpGet: { {{- with . }}host: {{ . }}, {{ end }}port: http, path: /readyz}
  periodSeconds: 5
{{- end }}

{{/* Where a program's pods run, and with whose credentials their images come. */}}
{{- define "signpost.placement" -}}
{{- with (index . 0).Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with index . 1 }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
