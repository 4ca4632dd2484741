#!/usr/bin/env bash
# Container images of what runs in a cluster, for amd64 and arm64, without a daemon:
#   images.sh [FOLDER]
# FOLDER (default target/images) gets an OCI archive of each image with an index for both architectures, and
# beside it the bills of materials that are inside too. Two runs on one commit give the same bytes.
#   ARCHES="amd64" builds for fewer, PROFILE=dev faster and larger.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/images/lib.sh

folder=$(realpath -m "${1:-${CARGO_TARGET_DIR:-target}/images}")
read -ra arches <<<"${ARCHES:-amd64 arm64}"
profile=${PROFILE:-release}

scripts/images/toolchain.sh "${arches[@]}"
mkdir -p "$folder"
for arch in "${arches[@]}"; do
  step "programs for $arch"
  scripts/images/programs.sh "$arch" "$profile" "$folder/rootfs"
  scripts/images/sbom.sh "$arch" "$folder"
done
step "images"
pack_controller "$folder" "${arches[@]}"
pack_node "$folder" "${arches[@]}"
