#!/bin/sh
# Builds what is measured, optimised, and measures it: bench.sh [OPTION...], see bench.sh --help.
set -eu
cd "$(dirname "$0")/.."
./e2e/binaries/build.sh etcd kube-apiserver kube-controller-manager kubectl >/dev/null
# The first time the SDK of AWS takes most of it.
./scripts/step.sh "Signpost and its benchmark, optimised" "first time: 20 minutes on two cores" \
  cargo build --release -p signpost-controller -p signpost-bench \
  --features signpost-controller/aws,signpost-controller/gcp
./scripts/step.sh "the engine's benchmark" "first time: some minutes" \
  cargo bench -p signpost-core --bench scale --no-run
./scripts/step.sh "the CNI plugin as images have it" "first time: 4 minutes" \
  ./scripts/images/plugin.sh "${CARGO_TARGET_DIR:-target}/bench"
for program in floor peak; do
  cc -O2 -Wall -static -s -o "${CARGO_TARGET_DIR:-target}/bench/$program" "e2e/bench/cni/$program.c"
done
exec "${CARGO_TARGET_DIR:-target}/release/signpost-bench" "$@"
