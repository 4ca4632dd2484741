#!/bin/bash
# Makes the control plane, and tells workers how to join, now and before each token ends.
set -euo pipefail
. /usr/local/lib/kubernetes/cloud.sh
sed "s|PROVIDER_ID|$(provider_id)|" /etc/kubernetes/kubeadm.yaml.in >/etc/kubernetes/kubeadm.yaml
kubeadm init --config /etc/kubernetes/kubeadm.yaml
systemctl enable --now kubernetes-write-join.timer
