#!/usr/bin/env bash
# What builds the images, from Debian's archive: toolchain.sh ARCH...
# One compiler for everybody, so that everybody gets the same bytes. Only its own folder in the cache has
# anything of another architecture: apt's list of architectures stays as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

# program:Debian package that has it
needs=(/usr/bin/cargo:cargo-web /usr/bin/rustc:rustc-web cc:gcc buildah:buildah jq:jq file:file
  /usr/lib/rustlib/src/rust/library/std:rust-web-src "/usr/lib/$(machine_of "$(own_arch)")-linux-musl/libc.a:musl-dev")
for arch in "$@"; do
  machine=$(machine_of "$arch")
  if [[ $arch != "$(own_arch)" ]]; then
    needs+=("$machine-linux-gnu-gcc:gcc-${machine/_/-}-linux-gnu" "qemu-$machine-static:qemu-user-static"
      "/usr/$machine-linux-gnu/lib/libc.a:libc6-dev-$arch-cross")
  fi
done
missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || [[ -e ${need%%:*} ]] || missing+=("${need##*:}")
done
if [[ ${#missing[@]} -gt 0 ]]; then
  command -v apt-get >/dev/null || fail "missing: ${missing[*]} (Debian's names). Remedy: build the images on Debian"
  [[ $EUID -eq 0 ]] || fail "missing: ${missing[*]}. Remedy: sudo apt-get install --no-install-recommends ${missing[*]}"
  step "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Packages of another architecture, unpacked below the cache.
unpack() { # ARCH FOLDER PACKAGE
  local arch=$1 folder=$2 work apt
  [[ ! -d $folder ]] || return 0
  step "${3%%=*}"
  work=$(mktemp -d)
  mkdir -p "$work/lists/partial" "$work/archives/partial"
  apt=(apt-get -qq -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "Dir::State::lists=$work/lists"
    -o Dir::State::status=/dev/null -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" download "$3")
  mkdir -p "$(dirname "$folder")"
  dpkg -x "$work"/*.deb "$work/root"
  mv "$work/root" "$folder"
  rm -rf "$work"
}
# Rust's standard library for other machines, as new as the compiler, and musl.
release=$(dpkg-query -W -f '${Version}' rustc-web)
for arch in "$@"; do
  [[ $arch != "$(own_arch)" ]] || continue
  unpack "$arch" "$cache/sysroot/$arch/$release" "libstd-rust-web-dev:$arch=$release"
  unpack "$arch" "$cache/musl/$arch" "musl-dev:$arch"
done

# The bill of materials.
sbom=$cache/tools/cargo-cyclonedx
if [[ ! -x $sbom/bin/cargo-cyclonedx ]]; then
  step "cargo-cyclonedx (minutes, once)"
  RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$sbom/target \
    /usr/bin/cargo install --quiet --locked --version 0.5.9 --root "$sbom" cargo-cyclonedx
  rm -rf "$sbom/target"
fi
