#!/bin/sh
# Builds the programs that a cluster runs, and no more: no cloud SDK, no tests.
set -eu
cd "$(dirname "$0")/.."
exec cargo build -p signpost-controller -p signpost-cni -p signpost-node -p signpost-e2e --bins
