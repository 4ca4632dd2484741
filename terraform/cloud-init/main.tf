# Cloud-init for the machines of a cluster, the same in each cloud but for `cloud`: shell functions provider_id,
# write_join and read_join.

terraform {
  required_version = ">= 1.9"
}

locals {
  roles = ["control-plane", "workers"]

  values = {
    cluster_name  = var.cluster_name
    kubernetes    = var.versions.kubernetes
    containerd    = var.versions.containerd
    pod_cidrs     = join(",", var.pod_cidrs)
    service_cidrs = join(",", var.service_cidrs)
    endpoint      = var.endpoint
    cert_sans     = var.cert_sans
  }

  user_data = { for role in local.roles : role => templatefile("${path.module}/node.yaml.tftpl", {
    role        = role
    enable_ipv6 = length(var.pod_cidrs) > 1
    packages    = var.packages
    cloud       = var.cloud
    install     = templatefile("${path.module}/install.sh.tftpl", local.values)
    kubeadm     = templatefile("${path.module}/kubeadm-${role}.yaml.tftpl", local.values)
    start       = file("${path.module}/${role}.sh")
    write_join  = file("${path.module}/write-join.sh")
  }) }
}
