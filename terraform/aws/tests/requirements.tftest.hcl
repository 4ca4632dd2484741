# Inputs that cannot work are refused, by the name of the input.

mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_vpc" {
    defaults = { ipv6_cidr_block = "", cidr_block_associations = [{ association_id = "a", cidr_block = "10.244.128.0/17", state = "associated" }] }
  }
}

variables {
  cluster_name = "test"
  zones        = ["eu-central-1a", "eu-central-1b"]
  ami_id       = "ami-0123456789abcdef0"
}

run "as_many_nodes_as_routes" {
  command = plan
  variables {
    route_quota = 500
    pod_cidr    = "10.224.0.0/12"
    workers     = { max = 497 }
  }
}

run "more_nodes_than_routes" {
  command = plan
  variables {
    pod_cidr = "10.224.0.0/12"
    workers  = { max = 498 }
  }
  expect_failures = [terraform_data.requirements]
}

run "quota_raised" {
  command = plan
  variables {
    route_quota = 1000
    pod_cidr    = "10.224.0.0/12"
    workers     = { max = 498 }
  }
}

run "more_nodes_than_blocks" {
  command = plan
  variables {
    pod_cidr = "10.244.0.0/22"
    workers  = { max = 4 }
  }
  expect_failures = [terraform_data.requirements]
}

run "more_nodes_than_ipv6_blocks" {
  command = plan
  variables {
    enable_ipv6   = true
    pod_ipv6_cidr = "fd00:10:244::/62"
    workers       = { max = 4 }
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_inside_the_vpc" {
  command = plan
  variables {
    pod_cidr = "10.0.128.0/17"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_around_the_vpc" {
  command = plan
  variables {
    pod_cidr     = "10.0.0.0/8"
    service_cidr = "172.20.0.0/16"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_beside_the_vpc" {
  command = plan
  variables {
    pod_cidr = "10.1.0.0/16"
  }
}

run "pods_inside_a_given_vpc" {
  command = plan
  variables {
    vpc_id       = "vpc-0123456789abcdef0"
    subnet_cidrs = ["10.244.128.0/20", "10.244.144.0/20"]
  }
  expect_failures = [terraform_data.requirements]
}

run "services_inside_the_vpc" {
  command = plan
  variables {
    service_cidr = "10.0.0.0/20"
  }
  expect_failures = [terraform_data.requirements]
}

run "pods_around_services" {
  command = plan
  variables {
    service_cidr = "10.244.255.0/24"
  }
  expect_failures = [terraform_data.requirements]
}

run "ipv6_pods_around_services" {
  command = plan
  variables {
    enable_ipv6       = true
    service_ipv6_cidr = "fd00:10:244:ffff::/112"
  }
  expect_failures = [terraform_data.requirements]
}

run "vpc_without_subnets" {
  command = plan
  variables {
    vpc_id   = "vpc-0123456789abcdef0"
    pod_cidr = "10.1.0.0/16"
  }
  expect_failures = [var.subnet_cidrs]
}

run "gateways_in_zones_with_one_table" {
  command = plan
  variables {
    nat_gateways = "per-zone"
  }
  expect_failures = [var.nat_gateways]
}

run "zone_twice" {
  command = plan
  variables {
    zones = ["eu-central-1a", "eu-central-1a"]
  }
  expect_failures = [var.zones]
}

run "not_a_number_of_subnets" {
  command = plan
  variables {
    subnet_cidrs = ["10.0.0.0/20"]
  }
  expect_failures = [var.subnet_cidrs]
}

run "host_bits" {
  command = plan
  variables {
    pod_cidr = "10.244.1.0/16"
  }
  expect_failures = [var.pod_cidr]
}

run "ipv6_host_bits" {
  command = plan
  variables {
    pod_ipv6_cidr = "fd00:10:244::1/48"
  }
  expect_failures = [var.pod_ipv6_cidr]
}

run "blocks_too_small" {
  command = plan
  variables {
    node_prefix_length = 31
  }
  expect_failures = [var.node_prefix_length]
}

run "long_name" {
  command = plan
  variables {
    cluster_name = "a-name-of-more-than-forty-letters-and-hyphens"
  }
  expect_failures = [var.cluster_name]
}

run "more_desired_than_max" {
  command = plan
  variables {
    workers = { max = 3, desired = 4 }
  }
  expect_failures = [var.workers]
}

run "version_with_v" {
  command = plan
  variables {
    versions = { kubernetes = "v1.36.3" }
  }
  expect_failures = [var.versions]
}

run "quota_beyond_aws" {
  command = plan
  variables {
    route_quota = 1001
  }
  expect_failures = [var.route_quota]
}

run "no_provider" {
  command = plan
  variables {
    controller_oidc_provider_arn = "https://oidc.example.com"
  }
  expect_failures = [var.controller_oidc_provider_arn]
}
