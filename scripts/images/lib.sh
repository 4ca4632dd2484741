# What the scripts of the images share. Sourced, with the repository as working directory.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/signpost
version=${IMAGE_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
# When the commit was made: the one date that is in an image.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

step() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The name that an architecture has in Rust and in compilers.
machine_of() {
  case $1 in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) fail "no image is built for $1. Remedy: amd64 or arm64" ;;
  esac
}
target_of() { echo "$(machine_of "$1")-unknown-linux-gnu"; }
# The trees of both images below a folder, by the caller's `put PROGRAM IMAGE`.
trees() {
  put signpost-controller signpost-controller
  put signpost-node signpost-node
  put signpost-cni signpost-node
  # Whom the API server of AWS has its certificate from.
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/signpost-controller/etc/ssl/certs/ca-certificates.crt"
}
# Packs both from their trees: FOLDER ARCH...
pack_controller() {
  scripts/images/pack.sh "$1" signpost-controller "Gives nodes their pod CIDRs and programs the routes that lead there" \
    '--user 65532:65532 --entrypoint ["/usr/bin/signpost-controller"]' "${@:2}"
}
pack_node() {
  scripts/images/pack.sh "$1" signpost-node "Puts the CNI plugin and its configuration on a node" \
    '--user 0:0 --entrypoint ["/usr/bin/signpost-node"]' "${@:2}"
}
# Prepares /usr/bin/cargo to build programs that are linked statically, for $target into a folder of $build.
static_build() { # ARCH
  target=$(target_of "$1")
  build=${CARGO_TARGET_DIR:-$PWD/target}/images-build
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} release flags env_target=${target^^}
  # Paths of this machine do not get into the programs, nor does anything that is chosen at random.
  flags="-C target-feature=+crt-static --remap-path-prefix=$PWD=/signpost --remap-path-prefix=$cargo_home=/cargo"
  if [[ $1 != "$(own_arch)" ]]; then
    release=$(dpkg-query -W -f '${Version}' rustc-web)
    flags+=" --sysroot=$cache/sysroot/$1/$release/usr -C linker=$(machine_of "$1")-linux-gnu-gcc"
  fi
  export "CARGO_TARGET_${env_target//-/_}_RUSTFLAGS=$flags"
  export CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$build=/build"
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR=$build
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER
}
# Builds the CNI plugin, after static_build, into $plugin.
build_plugin() { # PROFILE
  local profile=${1/#release/plugin} env_target=${target^^}
  local flags=CARGO_TARGET_${env_target//-/_}_RUSTFLAGS
  # At a place that the linker chooses nothing is relocated when it starts, which is what many pages were read for.
  env "$flags=${!flags} -C relocation-model=static" \
    /usr/bin/cargo build --quiet --locked --profile "$profile" --target "$target" -p signpost-cni --bins
  plugin=$build/$target/${profile/#dev/debug}/signpost-cni
}
own_arch() { dpkg --print-architecture; }
