#!/usr/bin/env bash
# The CNI plugin alone, as the image for this machine has it: plugin.sh FOLDER
set -euo pipefail
folder=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

static_build "$(own_arch)"
build_plugin release
mkdir -p "$folder"
strip -o "$folder/signpost-cni" "$plugin"
