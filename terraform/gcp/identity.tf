# Service accounts of the instances, and the controller's rights.

locals {
  node_roles = ["control-plane", "workers"]
  # At most 30 letters with the cluster's name.
  account_ids = { control-plane = "${var.cluster_name}-control", workers = "${var.cluster_name}-workers" }
}

data "google_project" "nodes" {
  count = var.host_project_id == null ? 0 : 1

  project_id = var.project_id
}

resource "google_service_account" "nodes" {
  for_each = toset(local.node_roles)

  account_id   = local.account_ids[each.key]
  display_name = "${var.cluster_name}, ${each.key}"
  project      = var.project_id

  depends_on = [terraform_data.requirements]
}

# How a worker joins: the control plane adds a version with a token and its authority's hash here, twice a day. Terraform
# holds the place, and never sees a version.
resource "google_secret_manager_secret" "join" {
  secret_id = "${var.cluster_name}-join"
  project   = var.project_id
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [terraform_data.requirements]
}

# The control plane adds versions and destroys those before, workers read the newest.
resource "google_secret_manager_secret_iam_member" "join" {
  for_each = { control-plane = "roles/secretmanager.secretVersionManager", workers = "roles/secretmanager.secretAccessor" }

  project   = var.project_id
  secret_id = google_secret_manager_secret.join.secret_id
  role      = each.value
  member    = "serviceAccount:${google_service_account.nodes[each.key].email}"
}

# What the node controller of Google's cloud-controller-manager asks. It runs on the control plane; for its load balancers it
# needs more.
resource "google_project_iam_member" "cloud_controller_manager" {
  project = var.project_id
  role    = "roles/compute.viewer"
  member  = "serviceAccount:${google_service_account.nodes["control-plane"].email}"
}

# In a Shared VPC the subnet is another project's: who makes the group's instances there needs leave to use it.
resource "google_compute_subnetwork_iam_member" "instances" {
  count = var.host_project_id == null ? 0 : 1

  project    = local.network_project
  region     = local.region
  subnetwork = var.subnetwork
  role       = "roles/compute.networkUser"
  member     = "serviceAccount:${data.google_project.nodes[0].number}@cloudservices.gserviceaccount.com"
}

# Signpost's controller runs on any node, so both service accounts have its rights, unless it has one of its own.
module "controller_role" {
  source = "./modules/controller-role"

  cluster_name       = var.cluster_name
  project_id         = var.project_id
  network_project_id = local.network_project
  credentials        = var.controller_oidc == null ? "instances" : "workload-identity"
  service_accounts   = { for name in local.node_roles : name => google_service_account.nodes[name].email }
  oidc               = var.controller_oidc
}
