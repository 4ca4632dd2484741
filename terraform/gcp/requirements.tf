# What has to hold between inputs, and between them and the network, judged before anything is made.

locals {
  # While instances are replaced, a group has one more in each zone.
  surge      = length(var.zones)
  node_limit = var.workers.max + local.surge + 1
  pod_blocks = pow(2, var.node_prefix_length - tonumber(split("/", var.pod_cidr)[1]))

  # Two ranges overlap if they are one, once both are cut to the shorter prefix.
  apart = { for name, pair in {
    pod_subnet     = setproduct([var.pod_cidr], local.subnet_cidrs)
    service_subnet = setproduct([var.service_cidr], local.subnet_cidrs)
    pod_service    = [[var.pod_cidr, var.service_cidr]]
    } : name => alltrue([for ranges in pair :
      cidrhost("${split("/", ranges[0])[0]}/${min([for range in ranges : tonumber(split("/", range)[1])]...)}", 0)
      != cidrhost("${split("/", ranges[1])[0]}/${min([for range in ranges : tonumber(split("/", range)[1])]...)}", 0)
  ]) }
}

resource "terraform_data" "requirements" {
  lifecycle {
    precondition {
      # One for each node, and the default route that the network begins with.
      condition     = local.node_limit + 1 <= var.route_quota
      error_message = "workers.max: ${local.node_limit} nodes (workers.max, the control plane, and ${local.surge} while instances are replaced) need as many static routes beside the default route, but route_quota is ${var.route_quota}. Lower workers.max, or have the quotas STATIC_ROUTES_PER_NETWORK and ROUTES of ${local.network_project} raised and set route_quota."
    }
    precondition {
      condition     = local.node_limit <= local.pod_blocks
      error_message = "pod_cidr: ${var.pod_cidr} has ${local.pod_blocks} blocks of /${var.node_prefix_length}, but there may be ${local.node_limit} nodes, ${local.surge} of them while instances are replaced. Choose a larger pod_cidr, a longer node_prefix_length, or lower workers.max."
    }
    precondition {
      condition     = local.apart.pod_subnet
      error_message = "pod_cidr: ${var.pod_cidr} overlaps a subnet of the network (${join(", ", local.subnet_cidrs)}), where Google takes no routes. Choose a range outside of all of them."
    }
    precondition {
      condition     = local.apart.service_subnet
      error_message = "service_cidr: ${var.service_cidr} overlaps a subnet of the network (${join(", ", local.subnet_cidrs)}), whose machines would not be reached. Choose a range outside of all of them."
    }
    precondition {
      condition     = local.apart.pod_service
      error_message = "pod_cidr: ${var.pod_cidr} overlaps service_cidr (${var.service_cidr}). Choose ranges that lie apart."
    }
    precondition {
      condition     = var.network == null || try(data.google_compute_subnetwork.existing[0].network == data.google_compute_network.existing[0].self_link, false)
      error_message = "subnetwork: ${coalesce(var.subnetwork, "none")} is no subnet of the network ${coalesce(var.network, "none")} in ${local.region}. Name one that is, or other zones."
    }
  }
}
