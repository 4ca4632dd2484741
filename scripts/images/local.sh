#!/usr/bin/env bash
# The images that clusters of this machine run, of programs that cargo has built: local.sh PROGRAMS
# PROGRAMS is their folder, such as target/debug; the archives are in PROGRAMS/images then, and what is there and
# newer than its programs stays. Two differences to `make images`: the programs carry the libraries that they are
# linked to, and there are two images more, of the sandbox of each pod and of the pods of tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

programs=$(realpath "$1")
folder=$programs/images
arch=$(own_arch)
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9

put() { # PROGRAM IMAGE
  local tree=$folder/rootfs/$arch/$2 library
  mkdir -p "$tree/usr/bin"
  strip -o "$tree/usr/bin/$1" "$programs/$1"
  for library in $(ldd "$programs/$1" | grep -o '/[^ ]*'); do
    install -D -m 755 "$(realpath "$library")" "$tree$library"
  done
}

# Whether an archive is older than something that is in it: NAME FILE...
stale() {
  local archive=$folder/$1.tar file
  shift
  for file in "$@" scripts/images/{local,pack,lib}.sh; do
    [[ $archive -nt $file ]] || return 0
  done
  return 1
}

if stale signpost-controller "$programs/signpost-controller" || stale signpost-node "$programs"/signpost-{node,cni}; then
  rm -rf "$folder/rootfs"
  trees "$folder/rootfs/$arch"
  pack_controller "$folder" "$arch"
  pack_node "$folder" "$arch"
fi

busybox=$(command -v busybox) || fail "no busybox. Remedy: apt-get install busybox-static"
pause=$(e2e/binaries/build.sh pause)/pause
tree=$folder/rootfs/$arch
if stale signpost-pause "$pause"; then
  install -D "$pause" "$tree/signpost-pause/bin/pause"
  scripts/images/pack.sh "$folder" signpost-pause "Holds the namespaces of a pod" '--entrypoint ["/bin/pause"]' "$arch"
fi
if stale signpost-tools "$busybox"; then
  install -D "$busybox" "$tree/signpost-tools/bin/busybox"
  ! ldd "$busybox" >/dev/null 2>&1 || fail "$busybox is not linked statically. Remedy: apt-get install busybox-static"
  for applet in $("$busybox" --list); do
    [[ $applet == busybox ]] || ln -sf busybox "$tree/signpost-tools/bin/$applet"
  done
  mkdir -p "$tree"/signpost-tools/{etc,tmp,www}
  chmod 1777 "$tree"/signpost-tools/{tmp,www}
  echo 'root:x:0:0:root:/:/bin/sh' >"$tree/signpost-tools/etc/passwd"
  scripts/images/pack.sh "$folder" signpost-tools "Pods of tests" '--env PATH=/bin' "$arch"
fi
