#!/usr/bin/env bash
# The image of the pods of Kubernetes' own tests: conformance.sh FOLDER AGNHOST
# Their program agnhost, and what they call beside it, of this machine with its libraries. The archive is
# FOLDER/signpost-agnhost.tar then; one that is newer than all of that stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

folder=$1 agnhost=$2
name=signpost-agnhost
archive=$folder/$name.tar tree=$folder/rootfs/$(own_arch)/$name
# Name in the image and program; `sh` is not busybox's, which would run its own nc whatever the PATH says.
programs=(sh:dash bash:bash curl:curl dig:dig getent:getent ip:ip nc:nc.openbsd ss:ss)

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
stale() {
  local file
  for file in "$agnhost" scripts/images/{conformance,pack,lib}.sh; do
    [[ $archive -nt $file ]] || return 0
  done
  return 1
}
stale || exit 0

rm -rf "$tree"
mkdir -p "$tree"/{bin,etc,tmp,uploads}
chmod 1777 "$tree/tmp"
cp "$(command -v busybox)" "$tree/bin/busybox"
for applet in $(busybox --list); do
  [[ $applet == busybox ]] || ln -sf busybox "$tree/bin/$applet"
done
for program in "${programs[@]}"; do
  path=$(command -v "${program#*:}") || fail "no ${program#*:}. Remedy: e2e/setup.sh cluster conformance"
  install -m 755 "$path" "$tree/bin/${program%:*}"
  for library in $(ldd "$path" | grep -o '/[^ ]*'); do
    install -D -m 755 "$(realpath "$library")" "$tree$library"
  done
done
cp "$agnhost" "$tree/agnhost"
ln -s agnhost "$tree/agnhost-2"
# With this one it answers on ports of TLS.
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,IP:::1 \
  -keyout "$tree/localhost.key" -out "$tree/localhost.crt" 2>/dev/null
chmod 644 "$tree/localhost.key"
printf '%s\n' root:x:0:0:root:/:/bin/sh user-defined-in-image:x:1000:1000::/:/bin/sh >"$tree/etc/passwd"
printf '%s\n' root:x:0: user-defined-in-image:x:1000: group-defined-in-image:x:50000:user-defined-in-image >"$tree/etc/group"
echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
scripts/images/pack.sh "$folder" $name "Pods of Kubernetes' own tests" \
  '--entrypoint ["/agnhost"] --cmd pause --env PATH=/bin' "$(own_arch)"
