#!/usr/bin/env bash
# The programs of the images for one architecture, linked statically, in trees as the images have them:
#   programs.sh ARCH PROFILE FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh
. scripts/features.sh

arch=$1 profile=$2 folder=$3/$1
static_build "$arch"

/usr/bin/cargo build --quiet --locked --profile "$profile" --target "$target" \
  -p signpost-controller -p signpost-node --bins --features "$features"
build_plugin "$profile"

rm -rf "$folder"
put() { # PROGRAM IMAGE
  local built=$build/$target/${profile/#dev/debug}/$1 run=()
  [[ $1 != signpost-cni ]] || built=$plugin
  file -b "$built" | grep -qE 'static(ally|-pie) linked' || fail "$built is not linked statically"
  [[ $arch == "$(own_arch)" ]] || run=("qemu-$(machine_of "$arch")-static")
  # It runs at all, and is what it should be. The plugin tells its versions when it is run without a command.
  "${run[@]}" "$built" --version </dev/null
  mkdir -p "$folder/$2/usr/bin"
  "$(machine_of "$arch")-linux-gnu-strip" -o "$folder/$2/usr/bin/$1" "$built"
}
trees "$folder"
