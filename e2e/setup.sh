#!/usr/bin/env bash
# Makes a Debian machine able to build the project, and to do more with it: setup.sh [cluster] [conformance] [lint] [bench]
# Quiet when nothing is missing; says the remedy where it cannot help.
set -euo pipefail
cd "$(dirname "$0")/.."

# program:Debian package that has it
needs=(cc:gcc)                                              # linker, and the TLS library
rust=(cargo:cargo-web)
for part in "$@"; do
  case $part in
    cluster) needs+=(
      runc:runc                                             # containerd's runtime
      ip:iproute2 nft:nftables iptables:iptables            # topology, kube-proxy, tests
      busybox:busybox-static                                # the tool image of the pods
      faketime:faketime                                     # replicas with a wrong clock
      c++:g++                                               # libFuzzer
      strace:strace                                         # answers of the kernel that get lost
      buildah:buildah jq:jq strip:binutils                  # images of the programs
      curl:curl                                             # Kubernetes from its release site
      python3:python3                                       # boto3, aws and, if need be, Go from PyPI
      mmdebstrap:mmdebstrap systemd-nspawn:systemd-container # machines that boot with user data
      dpkg-deb:dpkg gpg:gpg gpg-agent:gpg-agent openssl:openssl
      unshare:util-linux nsenter:util-linux setpriv:util-linux mount:mount
    ) ;;
    bench) needs+=(
      /usr/lib/cni/ptp:containernetworking-plugins          # whom the CNI plugin is compared with
      /usr/bin/cargo:cargo-web strip:binutils               # builds it as for the images
      /usr/lib/rustlib/src/rust/library/std:rust-web-src "/usr/lib/$(uname -m)-linux-musl/libc.a:musl-dev"
    ) ;;
    conformance) needs+=(
      dash:dash bash:bash curl:curl dig:bind9-dnsutils      # the image of pods of Kubernetes' own tests
      getent:libc-bin ss:iproute2 nc.openbsd:netcat-openbsd openssl:openssl
    ) ;;
    lint)
      needs+=(jq:jq                                         # reading the dependencies' licences
        systemd-analyze:systemd)                            # is the agent's unit sound?
      rust+=(cargo-clippy:rust-web-clippy cargo-fmt:rustfmt-web) ;;
    *) echo "error: no such part: $part (known: cluster, conformance, lint, bench)" >&2; exit 2 ;;
  esac
done

# Debian's Rust where there is none or an older one of Debian's. Any other is the user's own, comes first
# in PATH and is left alone.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
is_rust_new_enough() {
  have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2)
  [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -1) == "$wanted" ]]
}
missing=()
cargo=$(command -v cargo || true)
if [[ ${cargo:-/usr/bin/cargo} == /usr/bin/cargo ]] && ! command -v rustup >/dev/null; then
  needs+=("${rust[@]}")
  is_rust_new_enough || missing+=(cargo-web)
fi
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || [[ -e ${need%%:*} ]] || missing+=("${need##*:}")
done
[[ -e /usr/include/stdio.h ]] || missing+=(libc6-dev)
[[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
if [[ " $* " == *" cluster "* ]]; then
  # What comes from PyPI goes into environments of its own.
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
fi

failed=0
if [[ ${#missing[@]} -gt 0 ]]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if ! command -v apt-get >/dev/null; then
    echo "error: missing: ${missing[*]} (Debian's names). Remedy: install them with this system's package manager" >&2
    failed=1
  elif [[ $EUID -ne 0 ]]; then
    echo "error: missing: ${missing[*]}. Remedy: sudo apt-get install ${missing[*]}" >&2
    failed=1
  else
    scripts/step.sh "Debian's packages ${missing[*]}" "first time: 2 minutes" sh -c \
      'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"' \
      apt "${missing[@]}" || failed=1
  fi
fi

hash -r
if ! is_rust_new_enough; then
  echo "error: Rust $wanted or newer is needed, cargo in PATH is ${have:-not there}. Remedy: cargo-web of" \
    "Debian 12's security archive, or rustup update stable (https://rustup.rs)" >&2
  failed=1
fi
if [[ " $* " == *" cluster "* && $EUID -ne 0 ]]; then
  echo "error: a cluster in namespaces needs root. Remedy: run this as root (sudo -E make …)" >&2
  failed=1
fi
exit "$failed"
