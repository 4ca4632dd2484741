# VPC network, subnet and the way out. The network's routes to pods are Signpost's; here is none, and those that the network
# begins with stay.

data "google_compute_network" "existing" {
  count = var.network == null ? 0 : 1

  name    = var.network
  project = local.network_project

  lifecycle {
    postcondition {
      condition     = self.self_link != null
      error_message = "network: the project ${local.network_project} has no network ${var.network}. Name one that is there, and its project with host_project_id."
    }
  }
}

data "google_compute_subnetwork" "existing" {
  count = var.subnetwork == null ? 0 : 1

  name    = var.subnetwork
  region  = local.region
  project = local.network_project
}

# Whose ranges pods must not have, in all regions.
data "google_compute_subnetwork" "others" {
  for_each = toset(try(coalescelist(data.google_compute_network.existing[0].subnetworks_self_links, []), []))

  self_link = each.value
}

locals {
  region          = join("-", slice(split("-", var.zones[0]), 0, length(split("-", var.zones[0])) - 1))
  network_project = coalesce(var.host_project_id, var.project_id)
  has_nat         = var.network == null && !var.external_addresses

  network    = var.network == null ? google_compute_network.this[0] : data.google_compute_network.existing[0]
  subnetwork = var.network == null ? google_compute_subnetwork.nodes[0] : data.google_compute_subnetwork.existing[0]

  subnet_cidrs = var.network == null ? [var.subnet_cidr] : flatten([for subnetwork in values(data.google_compute_subnetwork.others) :
    [subnetwork.ip_cidr_range, subnetwork.secondary_ip_range[*].ip_cidr_range]
  ])
}

resource "google_compute_network" "this" {
  #checkov:skip=CKV2_GCP_18:its firewall rules are in firewall.tf, which is not seen through the local value
  count = var.network == null ? 1 : 0

  name                            = var.cluster_name
  project                         = var.project_id
  auto_create_subnetworks         = false
  delete_default_routes_on_create = false

  depends_on = [terraform_data.requirements]
}

resource "google_compute_subnetwork" "nodes" {
  count = var.network == null ? 1 : 0

  name                     = "${var.cluster_name}-nodes"
  project                  = var.project_id
  region                   = local.region
  network                  = google_compute_network.this[0].self_link
  ip_cidr_range            = var.subnet_cidr
  private_ip_google_access = true
}

resource "google_compute_router" "nat" {
  count = local.has_nat ? 1 : 0

  name    = "${var.cluster_name}-nat"
  project = var.project_id
  region  = local.region
  network = google_compute_network.this[0].self_link
}

resource "google_compute_router_nat" "this" {
  count = local.has_nat ? 1 : 0

  name                               = "${var.cluster_name}-nat"
  project                            = var.project_id
  region                             = local.region
  router                             = google_compute_router.nat[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.nodes[0].self_link
    source_ip_ranges_to_nat = ["PRIMARY_IP_RANGE"]
  }
}
