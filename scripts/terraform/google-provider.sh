#!/usr/bin/env bash
# Builds Google's own provider for Terraform from its source, where Terraform's registry cannot be reached but the Go module
# proxy can, and prints the folder of the mirror that has it. Once: five minutes on two cores at most, 0.5 GB of sources.
# Only the services that terraform/gcp uses are in it; they are the provider's own, unchanged.
set -euo pipefail
module=github.com/hashicorp/terraform-provider-google
# Release 8.0.0, as the first line of its CHANGELOG.md says, and the hash that the checksum database has of it. What it needs is
# pinned by the go.sum in it.
release=8.0.0
version=v1.20.1-0.20260828184646-f3721fb45fa3
sum=h1:2onI4HYzwHTtekjeWin7ZrO+v7S8TkFyTP+IaS2FcbQ=
services=(compute iambeta resourcemanager secretmanager)

step=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../step.sh")
key=$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/signpost/terraform-google
mirror=$cache/$key
if [[ ! -e $mirror/complete ]]; then
  fail() {
    echo "error: $1" >&2
    exit 1
  }
  command -v go >/dev/null || fail "no go in PATH to build Google's provider with. Remedy: install Go 1.26 or newer, or name a mirror in SIGNPOST_TERRAFORM_PLUGINS"
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
fi
if [[ ! -e $mirror/complete ]]; then
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  cd "$work"
  GOWORK=off go mod download -json "$module@$version" >download 2>error ||
    fail "cannot fetch $module: $(cat error download | tr '\n' ' '). Remedy: make proxy.golang.org or a mirror of it reachable (go env -w GOPROXY=…)"
  folder=$(sed -n 's/.*"Dir": "\(.*\)",/\1/p' download)
  found=$(sed -n 's/.*"Sum": "\(.*\)",/\1/p' download)
  [[ $found == "$sum" ]] || fail "$module@$version is $found, not $sum. Remedy: find out who changed it"
  [[ $(head -1 "$folder/CHANGELOG.md") == "## $release "* ]] || fail "$module@$version is not release $release"

  # Services register themselves when they are imported; the file that imports all of them is replaced by one for a few, in a
  # copy, since the module cache is to stay as it is.
  mkdir source
  cp -r "$folder"/{google,version,main.go,go.mod,go.sum} source
  chmod -R u+w source
  {
    echo "package provider"
    printf "import _ \"$module/google/services/%s\"\n" "${services[@]}"
  } >source/google/provider/provider_register_services.go
  place=registry.terraform.io/hashicorp/google/$release/$(go env GOOS)_$(go env GOARCH)
  mkdir -p "mirror/$place"
  "$step" "Google's provider for Terraform" "first time: 1 to 5 minutes on two cores" \
    env -C source CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false nice -n 5 go build -mod=readonly -trimpath -ldflags='-s -w' \
    -o "$work/mirror/$place/terraform-provider-google_v${release}_x5" .
  touch mirror/complete
  rm -rf "$mirror"
  mv mirror "$mirror"
fi
echo "$mirror"
