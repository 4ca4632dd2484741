#!/usr/bin/env bash
# Fetches programs of Kubernetes from its release site into a folder: fetch.sh VERSION FOLDER PROGRAM...
# Only those arrive there that have the checksum published beside them. What does not arrive is no failure,
# and standard error says why.
#
#   SIGNPOST_RELEASES   address of the release site; default: https://dl.k8s.io
#   SIGNPOST_PATIENCE   seconds in which it has to answer, else it is left alone; default: 3
set -euo pipefail

version=$1 folder=$2
shift 2
case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  *) arch=$(uname -m) ;;
esac
site=${SIGNPOST_RELEASES:-https://dl.k8s.io}/release/v$version/bin/linux/$arch
say() { printf '    %s\n' "$*" >&2; }
get() { curl --fail --silent --show-error --location --proto-redir =https "$@"; }

patience=${SIGNPOST_PATIENCE:-3}
if ! get --max-time "$patience" --output /dev/null "$site/$1.sha256" 2>/dev/null; then
  say "$site does not answer within $patience s"
  exit
fi
temporary=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
urls=()
for name in "$@"; do urls+=("$site/$name" "$site/$name.sha256"); done
# All at once. What stands still for half a minute is given up.
get --parallel --speed-limit 1 --speed-time 30 --remove-on-error --remote-name-all --output-dir "$temporary" \
  "${urls[@]}" >&2 || say "not everything could be fetched from $site"

for name in "$@"; do
  file=$temporary/$name
  [[ -s $file && -s $file.sha256 ]] || continue
  if sha256sum --check --status <<<"$(cut -d ' ' -f 1 "$file.sha256")  $file"; then
    chmod +x "$file"
    mv "$file" "$folder/$name"
    say "$name: fetched"
  else
    say "warning: $site/$name does not have the checksum that is published beside it: thrown away"
  fi
done
