# Who may send to nodes. A pod's packets have the pod's address, by which no security group is known: pods need rules by
# range.

resource "aws_security_group" "nodes" {
  name        = "${var.cluster_name}-nodes"
  description = "Nodes of ${var.cluster_name} and their pods"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.cluster_name}-nodes" })

  depends_on = [terraform_data.requirements]
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "From node to node"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  security_group_id = aws_security_group.nodes.id
  description       = "From pods"
  cidr_ipv4         = var.pod_cidr
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "pods_ipv6" {
  count = var.enable_ipv6 ? 1 : 0

  security_group_id = aws_security_group.nodes.id
  description       = "From pods"
  cidr_ipv6         = var.pod_ipv6_cidr
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "admin" {
  for_each = { for pair in setproduct(var.admin_cidrs, [22, 6443]) : "${pair[0]} ${pair[1]}" => pair }

  security_group_id = aws_security_group.nodes.id
  description       = "Administration"
  cidr_ipv4         = each.value[0]
  ip_protocol       = "tcp"
  from_port         = each.value[1]
  to_port           = each.value[1]
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.nodes.id
  description       = "Everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_egress_rule" "all_ipv6" {
  count = var.enable_ipv6 ? 1 : 0

  security_group_id = aws_security_group.nodes.id
  description       = "Everywhere"
  cidr_ipv6         = "::/0"
  ip_protocol       = "-1"
}
