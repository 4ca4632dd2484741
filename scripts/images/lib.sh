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
# Prepares /usr/bin/cargo to build programs that are linked statically, for $target into a folder of $build, with paths
# as $remaps says.
static_build() { # ARCH
  target=$(target_of "$1")
  build=${CARGO_TARGET_DIR:-$PWD/target}/images-build
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} release flags env_target=${target^^}
  # Paths of this machine do not get into the programs, nor does anything that is chosen at random.
  remaps="--remap-path-prefix=$PWD=/signpost --remap-path-prefix=$cargo_home=/cargo"
  flags="-C target-feature=+crt-static $remaps"
  if [[ $1 != "$(own_arch)" ]]; then
    release=$(dpkg-query -W -f '${Version}' rustc-web)
    flags+=" --sysroot=$cache/sysroot/$1/$release/usr -C linker=$(machine_of "$1")-linux-gnu-gcc"
  fi
  export "CARGO_TARGET_${env_target//-/_}_RUSTFLAGS=$flags"
  export CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$build=/build"
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR=$build
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_WRAPPER
}
# Builds the CNI plugin, after static_build, into $plugin. For a release it is linked to musl: glibc asks the processor
# some 75 times what it can when a static program starts, which on a virtual machine takes half a millisecond. Debian has
# no standard library for that, but its source; to build one is not stable in cargo yet, and the compiler is what it was.
build_plugin() { # PROFILE
  if [[ $1 != release ]]; then
    /usr/bin/cargo build --quiet --locked --profile "$1" --target "$target" -p signpost-cni --bins
    plugin=$build/$target/${1/#dev/debug}/signpost-cni
    return
  fi
  local machine=${target%%-*} flags env_target
  local musl_target=$machine-unknown-linux-musl unwinder=$build/unwinder/$machine musl
  musl=$(musl_of "$machine")
  # Nothing is unwound. What prints backtraces asks all the same, and hears of none (`_URC_END_OF_STACK`).
  mkdir -p "$unwinder"
  "$machine-linux-gnu-gcc" -c -x c -o "$unwinder/none.o" - <<'C'
int _Unwind_Backtrace(void *visit, void *argument) { return 5; }
unsigned long _Unwind_GetIP(void *frame) { return 0; }
C
  ar rcs "$unwinder/libunwind.a" "$unwinder/none.o"
  # At a place that the linker chooses nothing is relocated when it starts, which is what many pages were read for.
  flags="-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no"
  # So few bytes are hashed that it does not matter what the processor has for it.
  flags+=' --cfg sha2_backend="soft" --cfg sha2_backend_soft="compact"'
  flags+=" -C linker=musl-cc -C link-self-contained=no $remaps"
  env_target=${musl_target^^}
  env "CARGO_TARGET_${env_target//-/_}_RUSTFLAGS=$flags" RUSTC_BOOTSTRAP=1 \
    PATH="$PWD/scripts/images:$PATH" COMPILER="$machine-linux-gnu-gcc" MUSL="$musl" UNWINDER="$unwinder" \
    /usr/bin/cargo build --quiet --locked --profile plugin --target "$musl_target" \
    -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size -p signpost-cni --bins
  plugin=$build/$musl_target/plugin/signpost-cni
}
# Where musl is for a machine.
musl_of() { # MACHINE
  local folder
  for folder in "" "$cache"/musl/*; do
    folder+=/usr/lib/$1-linux-musl
    [[ ! -e $folder/libc.a ]] || { echo "$folder"; return; }
  done
  fail "no musl for $1. Remedy: apt-get install musl-dev"
}
own_arch() { dpkg --print-architecture; }
