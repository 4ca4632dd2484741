#!/usr/bin/env bash
# Bills of materials (CycloneDX) of the programs of one architecture, into their images' trees and beside the
# archives: sbom.sh ARCH FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh
. scripts/features.sh

arch=$1 folder=$2
# The tool writes beside each Cargo.toml: that is done to a copy. Its path gets into nothing.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents -t "$work"
describe() { # TARGET
  RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo "$cache/tools/cargo-cyclonedx/bin/cargo-cyclonedx" cyclonedx -qq \
    --manifest-path "$work/Cargo.toml" --format json --spec-version 1.5 --describe binaries \
    --target "$1" --no-build-deps --features "$features"
}
bill() { # FOLDER PROGRAM IMAGE
  local inside=$folder/rootfs/$arch/$3/usr/share/sbom/$2.cdx.json
  mkdir -p "$(dirname "$inside")"
  sed "s|$work|/signpost|g" "$work/$1/$2_bin.cdx.json" | jq -S . >"$inside"
  cp "$inside" "$folder/$2-$arch.cdx.json"
}
describe "$(target_of "$arch")"
bill controller signpost-controller signpost-controller
bill plugin/node signpost-node signpost-node
describe "$(machine_of "$arch")-unknown-linux-musl"
bill plugin signpost-cni signpost-node
