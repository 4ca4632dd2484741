#!/usr/bin/env bash
# Packs the trees that programs.sh made: pack.sh FOLDER ARCH...
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

folder=$1
shift
# Nothing of other users of buildah on this machine is seen or changed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
buildah() { command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[[ -z $(git status --porcelain 2>/dev/null) ]] || revision+=-dirty

# One architecture of an image: TREE NAME USER DESCRIPTION ARCH
image() {
  local tree=$1 name=$2 user=$3 description=$4 arch=$5 container
  container=$(buildah from --arch "$arch" scratch)
  buildah copy --quiet --chown 0:0 "$container" "$tree" / >/dev/null
  buildah config --os linux --arch "$arch" --user "$user" --entrypoint "[\"/usr/bin/$name\"]" --workingdir / \
    --label "org.opencontainers.image.title=$name" \
    --label "org.opencontainers.image.description=$description" \
    --label "org.opencontainers.image.version=$version" \
    --label "org.opencontainers.image.revision=$revision" \
    --label "org.opencontainers.image.licenses=Apache-2.0" "$container"
  buildah commit --quiet --rm --format oci --timestamp "$SOURCE_DATE_EPOCH" "$container" "localhost/$name:$arch" >/dev/null
}

# An image for all architectures, as an archive: NAME USER DESCRIPTION ARCH...
archive() {
  local name=$1 user=$2 description=$3 arch tree
  shift 3
  buildah manifest create "localhost/$name:$version" >/dev/null
  for arch in "$@"; do
    tree=$folder/rootfs/$arch/$name
    image "$tree" "$name" "$user" "$description" "$arch"
    buildah manifest add "localhost/$name:$version" "localhost/$name:$arch" >/dev/null
  done
  buildah manifest push --quiet --all "localhost/$name:$version" "oci:$work/$name:localhost/$name:$version" >/dev/null
  # The loader of containerd goes by this name.
  jq -cS '.manifests[].annotations["io.containerd.image.name"] = .manifests[0].annotations["org.opencontainers.image.ref.name"]' \
    "$work/$name/index.json" >"$work/index.json"
  mv "$work/index.json" "$work/$name/index.json"
  tar --create --file "$folder/$name.tar" --directory "$work/$name" --sort name --owner 0 --group 0 --numeric-owner \
    --mode a+rX,u+w,go-w --mtime "@$SOURCE_DATE_EPOCH" .
  jq -r --arg name "$name:$version" '.manifests[0].digest | "\($name) \(.)"' "$work/$name/index.json"
  for arch in "$@"; do
    printf '  %-6s %5.1f MiB, programs %s\n' "$arch" \
      "$(layers "$work/$name" "$arch")" "$(cd "$folder/rootfs/$arch/$name/usr/bin" && du -b -- * | awk '{printf "%s%s %.1f", n++ ? ", " : "", $2, $1 / 1048576}')"
  done
}

# What a node of that architecture has to fetch, in MiB.
layers() {
  local blobs=$1/blobs/sha256 list digest
  list=$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' "$1/index.json")
  digest=$(jq -r --arg arch "$2" '.manifests[] | select(.platform.architecture == $arch).digest | ltrimstr("sha256:")' "$blobs/$list")
  jq '[.layers[].size] | add / 1048576' "$blobs/$digest"
}

archive signpost-controller 65532:65532 "Gives nodes their pod CIDRs and programs the routes that lead there" "$@"
archive signpost-node 0:0 "Puts the CNI plugin and its configuration on a node" "$@"
