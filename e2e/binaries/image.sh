#!/usr/bin/env bash
# Packs static programs into an image that has nothing else: image.sh NAME ARCHIVE PROGRAM...
# They are in its root folder, and the first one runs. containerd imports ARCHIVE as NAME.
set -euo pipefail

name=$1 archive=$(realpath -m "$2")
shift 2
# Nothing of other users of buildah on this machine is seen or changed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
buildah() { command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

container=$(buildah from scratch)
buildah copy --quiet "$container" "$@" / >/dev/null
buildah config --entrypoint "[\"/$(basename "$1")\"]" "$container"
buildah commit --quiet --rm "$container" "$name" >/dev/null
mkdir -p "$(dirname "$archive")"
rm -f "$archive"
buildah push --quiet "$name" "docker-archive:$archive:$name"
