# Which tables there are, who has the cluster's tag, and where the ways out lead.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_vpc" {
    defaults = { ipv6_cidr_block = "2a05:d014:1:2300::/56" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/test" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
  mock_data "aws_vpc" {
    defaults = {
      ipv6_cidr_block         = "2a05:d014:1:2300::/56"
      cidr_block_associations = [{ association_id = "a", cidr_block = "10.9.0.0/16", state = "associated" }]
    }
  }
  mock_data "aws_internet_gateway" {
    defaults = { id = "igw-0123456789abcdef0" }
  }
}

variables {
  cluster_name = "test"
  zones        = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  ami_id       = "ami-0123456789abcdef0"
}

run "one_table" {
  assert {
    condition     = keys(aws_route_table.nodes) == ["shared"] && length(aws_route_table_association.nodes) == 3
    error_message = "The three subnets share one table."
  }
  assert {
    condition     = alltrue([for table in aws_route_table.nodes : table.tags["kubernetes.io/cluster/test"] == "owned"])
    error_message = "Tables carry the cluster's tag."
  }
  assert {
    condition     = keys(aws_route.internet) == ["shared"] && length(aws_route.nat) == 0 && length(aws_route.internet_ipv6) == 0
    error_message = "The way out is the internet gateway, for IPv4 alone."
  }
  assert {
    condition     = [for zone in var.zones : aws_subnet.nodes[zone].cidr_block] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    error_message = "Subnets are the first sixteenths of the VPC."
  }
  assert {
    condition     = output.control_plane_ip == aws_eip.control_plane[0].public_ip && aws_eip_association.control_plane[0].network_interface_id == aws_network_interface.control_plane.id
    error_message = "The control plane has a public address."
  }
}

run "tables_of_zones" {
  variables {
    route_tables = "per-zone"
    nat_gateways = "per-zone"
  }
  assert {
    condition     = tolist(keys(aws_route_table.nodes)) == var.zones && alltrue([for table in aws_route_table.nodes : table.tags["kubernetes.io/cluster/test"] == "owned"])
    error_message = "Each zone has a table with the cluster's tag."
  }
  assert {
    condition     = alltrue([for zone in var.zones : aws_route_table_association.nodes[zone].route_table_id == aws_route_table.nodes[zone].id])
    error_message = "Each subnet follows its zone's table."
  }
  assert {
    condition     = alltrue([for zone in var.zones : aws_route.nat[zone].nat_gateway_id == aws_nat_gateway.this[zone].id]) && length(aws_route.internet) == 0
    error_message = "Each zone's way out is its own NAT gateway."
  }
  assert {
    condition     = !contains(keys(aws_route_table.nat[0].tags), "kubernetes.io/cluster/test") && alltrue([for subnet in aws_subnet.nodes : !subnet.map_public_ip_on_launch])
    error_message = "The gateways' table is none of the cluster's, and nodes are private."
  }
  assert {
    condition     = length(aws_eip.control_plane) == 0 && output.control_plane_ip == aws_network_interface.control_plane.private_ip
    error_message = "The control plane is private."
  }
}

run "one_gateway" {
  variables {
    route_tables = "per-zone"
    nat_gateways = "one"
  }
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 1 && length(aws_route.nat) == 3
    error_message = "All tables lead to one gateway."
  }
}

run "ipv6" {
  variables {
    enable_ipv6  = true
    nat_gateways = "one"
  }
  assert {
    condition     = aws_vpc.this[0].assign_generated_ipv6_cidr_block && [for zone in var.zones : aws_subnet.nodes[zone].ipv6_cidr_block] == ["2a05:d014:1:2300::/64", "2a05:d014:1:2301::/64", "2a05:d014:1:2302::/64"]
    error_message = "Each subnet has a /64 of the VPC."
  }
  assert {
    condition     = aws_route.internet_ipv6["shared"].egress_only_gateway_id == aws_egress_only_internet_gateway.this[0].id
    error_message = "Private nodes' way out is the egress-only gateway."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.pods_ipv6[0].cidr_ipv6 == "fd00:10:244::/48" && aws_vpc_security_group_ingress_rule.pods_ipv6[0].ip_protocol == "-1"
    error_message = "Pods' packets of IPv6 are let in."
  }
}

run "pods_in_the_vpcs_ipv6_range" {
  command = plan
  variables {
    vpc_id        = "vpc-0123456789abcdef0"
    subnet_cidrs  = ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24"]
    enable_ipv6   = true
    pod_ipv6_cidr = "2a05:d014:1:2300::/56"
  }
  expect_failures = [terraform_data.requirements]
}

run "given_vpc" {
  variables {
    vpc_id              = "vpc-0123456789abcdef0"
    subnet_cidrs        = ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24"]
    enable_ipv6         = true
    subnet_ipv6_indexes = [16, 17, 18]
  }
  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_internet_gateway.this) == 0 && output.vpc_id == "vpc-0123456789abcdef0"
    error_message = "No VPC and no gateway is made."
  }
  assert {
    condition     = aws_route.internet["shared"].gateway_id == "igw-0123456789abcdef0" && aws_route.internet_ipv6["shared"].gateway_id == "igw-0123456789abcdef0"
    error_message = "The way out is the VPC's gateway."
  }
  assert {
    condition     = aws_subnet.nodes["eu-central-1b"].cidr_block == "10.9.1.0/24" && aws_subnet.nodes["eu-central-1b"].ipv6_cidr_block == "2a05:d014:1:2311::/64"
    error_message = "Subnets have the ranges that were named."
  }
}

run "given_vpc_without_ipv6" {
  command = plan
  variables {
    vpc_id       = "vpc-0123456789abcdef0"
    subnet_cidrs = ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24"]
    enable_ipv6  = true
  }
  override_data {
    target = data.aws_vpc.existing[0]
    values = {
      ipv6_cidr_block         = ""
      cidr_block_associations = [{ association_id = "a", cidr_block = "10.9.0.0/16", state = "associated" }]
    }
  }
  expect_failures = [terraform_data.requirements]
}
