#!/bin/bash
# Joins the cluster as soon as the control plane has written how.
set -euo pipefail
. /usr/local/lib/kubernetes/cloud.sh
while true; do
  # A token that has ended meanwhile is replaced by the control plane: read it anew for each attempt.
  token='' hash=''
  # Who wrote it by hand may have left out the end of the line.
  read -r token hash < <(read_join) || :
  if [[ $hash == sha256:* ]]; then
    sed "s|PROVIDER_ID|$(provider_id)|; s|TOKEN|$token|; s|CA_HASH|$hash|" \
      /etc/kubernetes/kubeadm.yaml.in >/etc/kubernetes/kubeadm.yaml
    kubeadm join --config /etc/kubernetes/kubeadm.yaml && break
    kubeadm reset --force
  fi
  sleep 10
done
