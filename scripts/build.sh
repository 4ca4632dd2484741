#!/usr/bin/env bash
# Builds the programs that a cluster runs, and no more: build.sh [CLOUD]
# No tests, and a cloud's SDK only if it is named: that of AWS takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

# Users with folders of their own have Kubernetes there; a cluster gets for itself what they lack.
kubernetes() {
  [[ -n ${SIGNPOST_BINARIES:-}${KUBEBUILDER_ASSETS:-} ]] || e2e/binaries/build.sh >/dev/null
}
signpost() {
  scripts/step.sh "Signpost" "first time: 10 to 15 minutes on two cores, with AWS 10 more" \
    cargo build -p signpost-controller -p signpost-cni -p signpost-node -p signpost-e2e --bins \
    --features "signpost-controller/$1"
}

# Side by side, since neither keeps all cores busy all the time. Each is a process group, so that the first
# failure, or an interrupt, ends all of both.
set -m
kubernetes &
signpost "${1:-linux}" &
set +m
trap 'kill %1 %2 2>/dev/null || true' EXIT
wait -n
wait -n
