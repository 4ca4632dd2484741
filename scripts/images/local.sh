#!/usr/bin/env bash
# Images for this machine alone, of the programs that cargo has built for the tests: local.sh
# That takes seconds. They differ from those of `make images` in one thing: they carry the libraries that the programs
# are linked to.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

target=${CARGO_TARGET_DIR:-target}
folder=$(realpath -m "$target/images")
arch=$(own_arch)
put() { # PROGRAM IMAGE
  local tree=$folder/rootfs/$arch/$2 library
  mkdir -p "$tree/usr/bin"
  strip -o "$tree/usr/bin/$1" "$target/debug/$1"
  for library in $(ldd "$target/debug/$1" | grep -o '/[^ ]*'); do
    install -D -m 755 "$(realpath "$library")" "$tree$library"
  done
}
rm -rf "$folder"
trees "$folder/rootfs/$arch"
scripts/images/pack.sh "$folder" "$arch"
