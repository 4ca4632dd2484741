#!/usr/bin/env bash
# Makes a Debian machine able to build the project and run a cluster on it. Quiet when nothing is
# missing; says the remedy where it cannot help.
set -euo pipefail

# program:Debian package that has it
needs=(
  cc:gcc                                                  # linker, and the TLS library
  runc:runc                                               # containerd's runtime
  ip:iproute2 nft:nftables iptables:iptables              # topology, kube-proxy, tests
  busybox:busybox-static                                  # the tool image of the pods
  faketime:faketime                                       # replicas with a wrong clock
  jq:jq                                                   # reading the dependencies' licences
  buildah:buildah strip:binutils                          # images of the programs
  python3:python3                                         # boto3, aws and, if need be, Go from PyPI
  unshare:util-linux nsenter:util-linux setpriv:util-linux mount:mount
)

missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
done
[[ -e /usr/include/stdio.h ]] || missing+=(libc6-dev)
[[ -e /etc/ssl/certs/ca-certificates.crt ]] || missing+=(ca-certificates)
# What comes from PyPI goes into environments of its own.
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

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
    echo "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

if ! command -v cargo >/dev/null; then
  echo "error: no cargo. Remedy: install Rust 1.91.1 or newer with rustup, https://rustup.rs" >&2
  failed=1
fi
if [[ $EUID -ne 0 ]]; then
  echo "error: a cluster in namespaces needs root. Remedy: run this as root (sudo -E make …)" >&2
  failed=1
fi
exit "$failed"
