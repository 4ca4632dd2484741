# Who may send to nodes. A pod's packets have the pod's address, which no tag knows: pods are let in by their range.

locals {
  node_tag = "${var.cluster_name}-nodes"
}

# From nodes, or from pods: one of the two is enough.
resource "google_compute_firewall" "nodes" {
  name          = "${var.cluster_name}-nodes"
  description   = "Nodes of ${var.cluster_name} and their pods"
  project       = local.network_project
  network       = local.network.self_link
  source_tags   = [local.node_tag]
  source_ranges = [var.pod_cidr]
  target_tags   = [local.node_tag]

  allow {
    protocol = "all"
  }

  depends_on = [terraform_data.requirements]
}

resource "google_compute_firewall" "admin" {
  count = length(var.admin_cidrs) > 0 ? 1 : 0

  name          = "${var.cluster_name}-admin"
  description   = "Administration of ${var.cluster_name}"
  project       = local.network_project
  network       = local.network.self_link
  source_ranges = var.admin_cidrs
  target_tags   = [local.node_tag]

  allow {
    protocol = "tcp"
    ports    = ["22", "6443"]
  }

  depends_on = [terraform_data.requirements]
}
