# What runs on the machines: cloud-init makes nodes of them with kubeadm.

module "cloud_init" {
  source = "../cloud-init"

  cluster_name  = var.cluster_name
  versions      = var.versions
  pod_cidrs     = [var.pod_cidr]
  service_cidrs = [var.service_cidr]
  endpoint      = google_compute_address.internal.address
  cert_sans     = google_compute_address.external[*].address
  packages      = ["jq"]
  cloud = templatefile("${path.module}/../cloud-init/gcp.sh.tftpl", {
    secret = "projects/${var.project_id}/secrets/${google_secret_manager_secret.join.secret_id}"
  })
}
