# NAT gateways, each in a small public subnet of its zone. No node is there, so that table has no tag of the cluster:
# each table that has it takes one write for each node.

resource "aws_subnet" "nat" {
  for_each = toset(local.nat_zones)

  vpc_id            = local.vpc_id
  availability_zone = each.key
  cidr_block        = local.nat_cidrs[local.zone_index[each.key]]
  tags              = merge(var.tags, { Name = "${var.cluster_name}-nat-${each.key}" })

  depends_on = [terraform_data.requirements]
}

resource "aws_route_table" "nat" {
  count = local.is_public ? 0 : 1

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = "${var.cluster_name}-nat" })
}

resource "aws_route" "nat_internet" {
  count = local.is_public ? 0 : 1

  route_table_id         = aws_route_table.nat[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = local.internet_gateway_id
}

resource "aws_route_table_association" "nat" {
  for_each = aws_subnet.nat

  subnet_id      = each.value.id
  route_table_id = aws_route_table.nat[0].id
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"
  tags   = merge(var.tags, { Name = "${var.cluster_name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.nat[each.key].id
  tags          = merge(var.tags, { Name = "${var.cluster_name}-${each.key}" })

  # Without its own way out a gateway does not come up.
  depends_on = [aws_route.nat_internet, aws_route_table_association.nat]
}

resource "aws_route" "nat" {
  for_each = toset(local.is_public ? [] : local.table_names)

  route_table_id         = aws_route_table.nodes[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[var.nat_gateways == "per-zone" ? each.key : var.zones[0]].id
}
