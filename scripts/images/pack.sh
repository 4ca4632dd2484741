#!/usr/bin/env bash
# Packs an image from its trees, FOLDER/rootfs/ARCH/NAME, as the archive FOLDER/NAME.tar:
#   pack.sh FOLDER NAME DESCRIPTION "CONFIGURATION" ARCH...
# CONFIGURATION is what `buildah config` takes, such as "--user 0 --entrypoint [\"/usr/bin/x\"]".
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

folder=$1 name=$2 description=$3
read -ra configuration <<<"$4"
shift 4
# Nothing of other users of buildah on this machine is seen or changed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
buildah() { command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[[ -z $(git status --porcelain 2>/dev/null) ]] || revision+=-dirty
list=localhost/$name:$version

buildah manifest create "$list" >/dev/null
for arch in "$@"; do
  container=$(buildah from --arch "$arch" scratch)
  buildah copy --quiet --chown 0:0 "$container" "$folder/rootfs/$arch/$name" / >/dev/null
  buildah config --os linux --arch "$arch" --workingdir / "${configuration[@]}" \
    --label "org.opencontainers.image.title=$name" \
    --label "org.opencontainers.image.description=$description" \
    --label "org.opencontainers.image.version=$version" \
    --label "org.opencontainers.image.revision=$revision" \
    --label "org.opencontainers.image.licenses=Apache-2.0" "$container"
  buildah commit --quiet --rm --format oci --timestamp "$SOURCE_DATE_EPOCH" "$container" "localhost/$name:$arch" >/dev/null
  buildah manifest add "$list" "localhost/$name:$arch" >/dev/null
done
buildah manifest push --quiet --all "$list" "oci:$work/$name:$list" >/dev/null
# The loader of containerd goes by this name.
jq -cS '.manifests[].annotations["io.containerd.image.name"] = .manifests[0].annotations["org.opencontainers.image.ref.name"]' \
  "$work/$name/index.json" >"$work/index.json"
mv "$work/index.json" "$work/$name/index.json"
# Whoever reads the archive meanwhile has the one before.
tar --create --file "$work/$name.tar" --directory "$work/$name" --sort name --owner 0 --group 0 --numeric-owner \
  --mode a+rX,u+w,go-w --mtime "@$SOURCE_DATE_EPOCH" .
mv "$work/$name.tar" "$folder/.$name.tar" && mv "$folder/.$name.tar" "$folder/$name.tar"

# What it is and what a node of each architecture has to fetch.
blobs=$work/$name/blobs/sha256
index=$(jq -r '.manifests[0].digest' "$work/$name/index.json")
printf '%s %s\n' "$name:$version" "$index"
for arch in "$@"; do
  manifest=$(jq -r --arg arch "$arch" '.manifests[] | select(.platform.architecture == $arch).digest | ltrimstr("sha256:")' \
    "$blobs/${index#sha256:}")
  printf '  %-6s %5.1f MiB\n' "$arch" "$(jq '[.layers[].size] | add / 1048576' "$blobs/$manifest")"
done
