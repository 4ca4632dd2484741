# VPC, subnets, gateways and route tables. The pods' routes in the tables are Signpost's: a table has no inline routes
# here, since those would remove what they do not list.

data "aws_vpc" "existing" {
  count = var.vpc_id == null ? 0 : 1
  id    = var.vpc_id
}

data "aws_internet_gateway" "existing" {
  count = var.vpc_id == null ? 0 : 1

  filter {
    name   = "attachment.vpc-id"
    values = [var.vpc_id]
  }
}

locals {
  cluster_tag = { "kubernetes.io/cluster/${var.cluster_name}" = "owned" }
  tags        = merge(var.tags, local.cluster_tag)

  is_public = var.nat_gateways == "none"

  vpc_id              = var.vpc_id == null ? aws_vpc.this[0].id : var.vpc_id
  vpc_ipv6_cidr       = var.vpc_id == null ? aws_vpc.this[0].ipv6_cidr_block : data.aws_vpc.existing[0].ipv6_cidr_block
  vpc_cidrs           = var.vpc_id == null ? [var.vpc_cidr] : data.aws_vpc.existing[0].cidr_block_associations[*].cidr_block
  internet_gateway_id = var.vpc_id == null ? aws_internet_gateway.this[0].id : data.aws_internet_gateway.existing[0].id

  zone_index  = { for index, zone in var.zones : zone => index }
  node_cidrs  = var.subnet_cidrs != null ? var.subnet_cidrs : [for index in range(length(var.zones)) : cidrsubnet(var.vpc_cidr, 4, index)]
  nat_cidrs   = var.nat_subnet_cidrs != null ? var.nat_subnet_cidrs : [for index in range(length(var.zones)) : cidrsubnet(var.vpc_cidr, 8, 255 - index)]
  ipv6_index  = var.subnet_ipv6_indexes != null ? var.subnet_ipv6_indexes : range(length(var.zones))
  nat_zones   = { none = [], one = slice(var.zones, 0, 1), per-zone = var.zones }[var.nat_gateways]
  table_names = var.route_tables == "shared" ? ["shared"] : var.zones
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:flow logs cost money, and are for the owner of the account to decide
  #checkov:skip=CKV2_AWS_12:nothing has the default group, and who takes it over removes rules that others add
  count = var.vpc_id == null ? 1 : 0

  cidr_block                       = var.vpc_cidr
  assign_generated_ipv6_cidr_block = var.enable_ipv6
  enable_dns_hostnames             = true
  tags                             = merge(local.tags, { Name = var.cluster_name })
}

resource "aws_internet_gateway" "this" {
  count = var.vpc_id == null ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge(local.tags, { Name = var.cluster_name })
}

resource "aws_subnet" "nodes" {
  for_each = local.zone_index

  vpc_id                          = local.vpc_id
  availability_zone               = each.key
  cidr_block                      = local.node_cidrs[each.value]
  ipv6_cidr_block                 = var.enable_ipv6 ? cidrsubnet(local.vpc_ipv6_cidr, 8, local.ipv6_index[each.value]) : null
  assign_ipv6_address_on_creation = var.enable_ipv6
  map_public_ip_on_launch         = local.is_public
  tags                            = merge(local.tags, { Name = "${var.cluster_name}-nodes-${each.key}" })

  depends_on = [terraform_data.requirements]
}

resource "aws_route_table" "nodes" {
  for_each = toset(local.table_names)

  vpc_id = local.vpc_id
  # By this tag Signpost finds the table, and its policy lets it write there.
  tags = merge(local.tags, { Name = "${var.cluster_name}-nodes-${each.key}" })

  depends_on = [terraform_data.requirements]
}

resource "aws_route_table_association" "nodes" {
  for_each = local.zone_index

  subnet_id      = aws_subnet.nodes[each.key].id
  route_table_id = aws_route_table.nodes[var.route_tables == "shared" ? "shared" : each.key].id
}

resource "aws_route" "internet" {
  for_each = toset(local.is_public ? local.table_names : [])

  route_table_id         = aws_route_table.nodes[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = local.internet_gateway_id
}

resource "aws_route" "internet_ipv6" {
  for_each = toset(var.enable_ipv6 ? local.table_names : [])

  route_table_id              = aws_route_table.nodes[each.key].id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = local.is_public ? local.internet_gateway_id : null
  egress_only_gateway_id      = local.is_public ? null : aws_egress_only_internet_gateway.this[0].id
}

resource "aws_egress_only_internet_gateway" "this" {
  count = var.enable_ipv6 && !local.is_public ? 1 : 0

  vpc_id = local.vpc_id
  tags   = merge(local.tags, { Name = var.cluster_name })
}
