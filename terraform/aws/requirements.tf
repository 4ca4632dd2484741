# What has to hold between inputs, and between them and the VPC, judged before anything is made.

locals {
  node_limit    = var.workers.max + 1
  pod_blocks    = pow(2, var.node_prefix_length - tonumber(split("/", var.pod_cidr)[1]))
  pod_blocks_v6 = pow(2, 64 - tonumber(split("/", var.pod_ipv6_cidr)[1]))
  families      = var.enable_ipv6 ? ["IPv4", "IPv6"] : ["IPv4"]
  routes_wanted = local.node_limit * length(local.families)
  # Beside the nodes' routes a table has one for each range of the VPC, and the default route.
  other_routes = { IPv4 = length(local.vpc_cidrs) + 1, IPv6 = 2 }

  # Two ranges overlap if they are one, once both are cut to the shorter prefix.
  apart = { for name, pair in {
    pod_vpc        = setproduct([var.pod_cidr], local.vpc_cidrs)
    service_vpc    = setproduct([var.service_cidr], local.vpc_cidrs)
    pod_service    = [[var.pod_cidr, var.service_cidr]]
    pod_service_v6 = [[var.pod_ipv6_cidr, var.service_ipv6_cidr]]
    pod_vpc_v6     = [[var.pod_ipv6_cidr, var.enable_ipv6 ? coalesce(local.vpc_ipv6_cidr, "::/128") : "::/128"]]
    } : name => alltrue([for ranges in pair :
      cidrhost("${split("/", ranges[0])[0]}/${min([for range in ranges : tonumber(split("/", range)[1])]...)}", 0)
      != cidrhost("${split("/", ranges[1])[0]}/${min([for range in ranges : tonumber(split("/", range)[1])]...)}", 0)
  ]) }
}

resource "terraform_data" "requirements" {
  lifecycle {
    precondition {
      condition     = alltrue([for family in local.families : local.node_limit + local.other_routes[family] <= var.route_quota])
      error_message = "workers.max: ${local.node_limit} nodes with ${join(" and ", local.families)} need ${local.routes_wanted} routes in each table, beside ${join(" and ", [for family in local.families : "${local.other_routes[family]} others of ${family}"])}, but a table holds ${var.route_quota} of each family. Lower workers.max, or have the quota L-93826ACB raised and set route_quota."
    }
    precondition {
      condition     = local.node_limit <= local.pod_blocks
      error_message = "pod_cidr: ${var.pod_cidr} has ${local.pod_blocks} blocks of /${var.node_prefix_length}, but there may be ${local.node_limit} nodes. Choose a larger pod_cidr, a longer node_prefix_length, or lower workers.max."
    }
    precondition {
      condition     = !var.enable_ipv6 || local.node_limit <= local.pod_blocks_v6
      error_message = "pod_ipv6_cidr: ${var.pod_ipv6_cidr} has ${local.pod_blocks_v6} blocks of /64, but there may be ${local.node_limit} nodes. Choose a larger pod_ipv6_cidr, or lower workers.max."
    }
    precondition {
      condition     = local.apart.pod_vpc
      error_message = "pod_cidr: ${var.pod_cidr} overlaps the VPC (${join(", ", local.vpc_cidrs)}), where routes to pods do not work. Choose a range outside of it."
    }
    precondition {
      condition     = local.apart.service_vpc
      error_message = "service_cidr: ${var.service_cidr} overlaps the VPC (${join(", ", local.vpc_cidrs)}), whose machines would not be reached. Choose a range outside of it."
    }
    precondition {
      condition     = local.apart.pod_service
      error_message = "pod_cidr: ${var.pod_cidr} overlaps service_cidr (${var.service_cidr}). Choose ranges that lie apart."
    }
    precondition {
      condition     = !var.enable_ipv6 || local.apart.pod_service_v6
      error_message = "pod_ipv6_cidr: ${var.pod_ipv6_cidr} overlaps service_ipv6_cidr (${var.service_ipv6_cidr}). Choose ranges that lie apart."
    }
    precondition {
      condition     = !var.enable_ipv6 || var.vpc_id == null || try(data.aws_vpc.existing[0].ipv6_cidr_block, "") != ""
      error_message = "enable_ipv6: the VPC has no IPv6 range. Associate one with it, or set enable_ipv6 to false."
    }
    # Of a VPC that is made this is known, and judged, when it is there.
    precondition {
      condition     = !var.enable_ipv6 || local.apart.pod_vpc_v6
      error_message = "pod_ipv6_cidr: ${var.pod_ipv6_cidr} overlaps the VPC, where routes to pods do not work. Choose a range outside of it, such as fd00:10:244::/48."
    }
  }
}
