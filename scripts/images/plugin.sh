#!/usr/bin/env bash
# The CNI plugin alone, as the image for this machine has it: plugin.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

static_build "$(own_arch)"
/usr/bin/cargo build --quiet --locked --release --target "$target" -p signpost-cni --bins
mkdir -p "$folder"
strip -o "$folder/signpost-cni" "$build/$target/release/signpost-cni"
