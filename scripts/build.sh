#!/bin/sh
# Builds the programs that a cluster runs, and no more: build.sh [CLOUD]
# No tests, and a cloud's SDK only if it is named: that of AWS takes minutes.
set -eu
cd "$(dirname "$0")/.."
exec cargo build -p signpost-controller -p signpost-cni -p signpost-node -p signpost-e2e --bins \
  --features "signpost-controller/${1:-linux}"
