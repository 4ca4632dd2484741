#!/bin/bash
# Writes a token for a day, and the hash by which who joins knows the authority, to where workers read it.
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf
. /usr/local/lib/kubernetes/cloud.sh
hash=$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d ' ' -f 1)
write_join "$(kubeadm token create --ttl 24h) sha256:$hash"
